// The paths that a path manager wants, and how each is doing: which to try, when to try again, when to give
// up.
#pragma once

#include <cstdint>
#include <vector>

#include "base/time.h"
#include "wire/address.h"

namespace braid::mptcp {

/// A pair of addresses to have a subflow over. An unspecified local address: whichever the route picks.
struct WantedPath {
  wire::IpAddress local;
  uint8_t local_id = 0;
  wire::Endpoint remote;
  uint8_t remote_id = 0;
  bool is_backup = false;

  bool is_routed() const { return local.is_unspecified(); }
  /// Whether a subflow over `tuple` is this path. Our port does not matter.
  bool matches(const wire::FourTuple& tuple) const {
    return remote == tuple.remote && (is_routed() || local == tuple.local.address);
  }
};

enum class PathState : uint8_t {
  kIdle,     // never tried, or worth trying at once
  kOpening,  // a join is under way
  kUp,
  kWaiting,  // failed or died; again at retry_at
  kGivenUp,  // only news about one of its ends brings it back
};

struct PathRecord {
  WantedPath path;
  PathState state = PathState::kIdle;
  bool is_wanted = false;
  bool was_up = false;    // it is known to work: never given up because joins fail
  uint32_t failures = 0;  // joins that failed in a row
  Duration backoff{0};
  Time retry_at{};
  Time up_since{};

  bool is_due(Time now) const {
    return state == PathState::kIdle || (state == PathState::kWaiting && retry_at <= now);
  }
};

class PathTable {
 public:
  static constexpr uint32_t kMaxFailures = 5;
  static constexpr Duration kFirstBackoff = 1s;
  static constexpr Duration kLongestBackoff = 60s;
  /// A subflow that lived so long was a good one: its path starts with the shortest wait again.
  static constexpr Duration kLongLife = 10s;

  // ---- what is wanted: begin_update, want ..., end_update
  void begin_update();
  void want(const WantedPath& path);
  /// Forgets records that nobody wants any more, unless a subflow or a join of theirs is there.
  void end_update();

  // ---- how it goes
  void on_opening(PathRecord& record) { record.state = PathState::kOpening; }
  /// A join of ours came up.
  void on_up(const wire::FourTuple& tuple, Time now);
  /// There is a subflow that the table did not ask for: the first one, say.
  void adopt(const wire::FourTuple& tuple);
  /// A subflow died and may come back. `is_alone`: none is left, so the first attempt is made at once.
  void on_died(const wire::FourTuple& tuple, bool is_alone, Time now);
  /// A subflow was ended on purpose.
  void on_ended(const wire::FourTuple& tuple);
  /// We ended it, since nobody wanted its path; if somebody does by now, it is tried again.
  void on_removed(const wire::FourTuple& tuple);
  void on_join_failed(PathRecord& record, Time now);

  // ---- getters
  PathRecord* find(const wire::FourTuple& tuple);
  /// The record whose join this tuple is.
  PathRecord* find_opening(const wire::FourTuple& tuple);
  std::vector<PathRecord>& records() { return records_; }
  const std::vector<PathRecord>& records() const { return records_; }
  size_t opening() const;
  /// Whether a join under way may turn out to be over the same pair of addresses.
  bool is_ambiguous(const WantedPath& path) const;
  /// Whether all paths to `remote` have been given up, and there was one.
  bool has_given_up(const wire::Endpoint& remote) const;
  Time next_retry(Time now) const;

  /// There is news about these paths: those that wait or were given up are tried at once.
  template <class Predicate>
  void revive(Predicate&& concerns) {
    for (PathRecord& record : records_) {
      const bool rests = record.state == PathState::kWaiting || record.state == PathState::kGivenUp;
      if (!rests || !concerns(record.path)) continue;
      record.state = PathState::kIdle;
      record.failures = 0;
      record.backoff = Duration{0};
    }
  }

 private:
  void wait(PathRecord& record, Time now);
  std::vector<PathRecord> records_;  // in order of preference
};

}  // namespace braid::mptcp
