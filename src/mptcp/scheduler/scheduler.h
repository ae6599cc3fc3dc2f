// Schedulers: which subflow may have how many of the bytes that wait. Called by pull: a subflow with room
// asks.
//
// To add one: derive, answer grant(), register it by name in scheduler.cc (see lowest_rtt.cc), or from a
// plug-in (docs/extending.md).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/sequence.h"
#include "base/time.h"

namespace braid::mptcp {

/// What the user wants of a path (ConnectionConfig::paths). Only "weighted" heeds it of the built-in ones.
struct PathPolicy {
  uint32_t weight = 1;                 // its share among paths of the same priority; over 0
  uint32_t priority = 0;               // lower first; the others carry what overflows
  uint64_t budget_bytes = UINT64_MAX;  // a connection gives it no more than that while it has another path
  bool operator==(const PathPolicy&) const = default;
};

/// A subflow as a scheduler sees it.
struct SubflowView {
  uint8_t index = 0;        // stable while the subflow lives, unique in the connection
  bool is_backup = false;   // ours or the peer's wish (MP_PRIO, MP_JOIN's B)
  bool is_stalled = false;  // its ACKs are overdue, or a timeout happened, and nothing was heard since
  bool is_usable = false;   // fully established, may carry data
  Duration srtt{0};         // 0: no sample yet
  Duration min_rtt{0};      // likewise
  Duration rttvar{0};       // RFC 6298's mean deviation
  uint64_t cwnd_bytes = 0;
  double usual_rate = 0;  // octets a second when it is busy; 0: not known, it has met no limit yet
  double shown_rate = 0;  // octets a second that it has carried, limit or not
  uint64_t in_flight_bytes = 0;
  uint64_t room_bytes = 0;  // congestion and send window have room for this many now
  uint32_t mss = 0;
  Duration idle{0};           // since it was last given data; 0 while some are in flight
  uint64_t unsent_bytes = 0;  // granted to it, not sent yet
  uint64_t sent_bytes = 0;    // ever granted to it, repeats of what others had included
  PathPolicy policy{};
};

struct ScheduleInput {
  std::span<const SubflowView> subflows;  // all of the connection
  const SubflowView* asking = nullptr;    // which of them asks
  uint64_t waiting_bytes = 0;             // not given to any subflow, within the connection's window
  uint64_t buffered_bytes = 0;            // the same, but beyond the window as well
  uint64_t reinject_bytes = 0;            // held by stalled subflows, to be given again first
  uint64_t window_bytes = UINT64_MAX;  // how many octets the connection may have outstanding: the less of the
                                       // peer's window and the send buffer
  uint64_t window_stops = 0;           // how often, up to now, the window kept a subflow from sending
  bool is_send_buffer_full = false;
  /// How many times the estimate to leave free in the window: more where that was too little before.
  double caution = 1;
  bool is_copy = false;  // is_redundant() only: what waits has been given to another subflow already
  Time now{};
};

class Scheduler {
 public:
  virtual ~Scheduler() = default;
  virtual std::string_view name() const = 0;
  /// The order in which subflows are asked, best first: writes positions in `subflows` (not
  /// SubflowView::index) to `order`, which has the same length.
  virtual void rank(std::span<const SubflowView> subflows, std::span<uint8_t> order) = 0;
  /// How many octets the asking subflow gets, at most min(room, waiting). 0: not it, or not now. Nobody asks
  /// again before something happens (an ACK, a timer, new data): who says 0 while nothing is in flight
  /// anywhere stops the connection.
  virtual uint64_t grant(const ScheduleInput& input) = 0;
  /// Whether every subflow is offered all data, those too that others carry (grant() with is_copy).
  virtual bool is_redundant() const { return false; }
};

/// What a scheduler is made with: ConnectionConfig's, the same for all of its connections.
struct SchedulerOptions {
  bool is_share_strict = false;  // "weighted": weights hold even if that leaves a path idle
  bool is_standby = false;       // "weighted": lower priorities wait until the higher are gone, not just full
  bool operator==(const SchedulerOptions&) const = default;
};

using SchedulerFactory = std::function<std::unique_ptr<Scheduler>(const SchedulerOptions& options)>;

/// By name ("lowest-rtt"); nothing for an unknown one.
std::unique_ptr<Scheduler> make_scheduler(std::string_view name, const SchedulerOptions& options = {});
std::vector<std::string> scheduler_names();
/// Adds one to those that a process knows; for plug-ins, before any host is made. False: the name is taken.
bool register_scheduler(std::string_view name, SchedulerFactory factory);

}  // namespace braid::mptcp
