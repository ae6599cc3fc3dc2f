// The decisions of each connection, kept for people who ask later: `braid why`, `braid events`. Bounded by
// entries a connection, by closed connections, by their age, and by memory over all.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "mptcp/connection.h"
#include "mptcp/decision.h"

namespace braid::service {

/// [history] of the configuration.
struct HistoryLimits {
  uint64_t memory_bytes = 8u << 20;  // 0: nothing is kept
  uint32_t decisions = 128;          // of one connection: the first quarter and the last three
  uint32_t closed_connections = 1000;
  Duration closed_for = 1h;
};

/// A decision, or several alike that came one after the other.
struct HistoryEntry {
  mptcp::Decision decision;  // of the first; amounts are added up
  Time at{}, last_at{};
  uint32_t count = 1;
  std::unique_ptr<std::string> packet{};  // what decision.packet is a view of
};

/// One connection's.
struct ConnectionHistory {
  enum class State : uint8_t { kOpening, kOpen, kClosed, kFailed };

  uint64_t number = 0;  // counts up: the higher, the younger
  State state = State::kOpening;
  mptcp::Token token = 0;  // 0: it never had one
  wire::FourTuple ends;
  bool is_server = false, is_multipath = false;
  bool were_paths_due = false;  // at its end: it was worth further paths
  bool has_forgotten = false;   // it was there before, but memory ran out
  Time begun{}, over = kNever;
  uint64_t left_out = 0;                        // decisions between first and last that there was no room for
  uint64_t sent_bytes = 0, received_bytes = 0;  // at its end

  bool is_over() const { return state == State::kClosed || state == State::kFailed; }
  /// In the order in which they happened. `left_out` were after the one at `first_count`.
  std::vector<const HistoryEntry*> entries() const;
  size_t first_count() const { return first_.size(); }

 private:
  friend class ConnectionHistories;
  uint64_t memory_bytes() const;
  HistoryEntry* find_alike(const mptcp::Decision& decision);
  void add(HistoryEntry entry, uint32_t most);

  std::vector<HistoryEntry> first_, last_;  // last_ is a ring once it is full
  size_t oldest_ = 0;
  uint64_t packet_bytes_ = 0;
};

class ConnectionHistories final : public mptcp::DecisionLog {
 public:
  /// `next` is told everything, first; it outlives this, and may be null.
  ConnectionHistories(const HistoryLimits& limits, mptcp::DecisionLog* next) : limits_(limits), next_(next) {}

  void on_decision(const mptcp::Connection& connection, const mptcp::Decision& decision, Time now) override;

  /// Oldest first; good until the next decision. Those that are too old by now are gone.
  std::vector<const ConnectionHistory*> all(Time now);
  const ConnectionHistory* find(uint64_t number) const;
  uint64_t memory_bytes() const { return memory_bytes_; }
  size_t size() const { return histories_.size(); }

 private:
  ConnectionHistory* find_or_begin(const mptcp::Connection& connection, const mptcp::Decision& decision,
                                   Time now);
  void record(ConnectionHistory& history, const mptcp::Decision& decision, Time now);
  void on_over(ConnectionHistory& history, const mptcp::Connection& connection,
               const mptcp::Decision& decision, Time now);
  void make_room(Time now);
  void forget(uint64_t number);
  std::string_view keep(std::string_view word);

  HistoryLimits limits_;
  mptcp::DecisionLog* next_;
  std::map<uint64_t, ConnectionHistory> histories_;
  std::deque<uint64_t> over_;              // in the order in which they ended
  std::unordered_set<std::string> words_;  // reasons: there are few different ones
  uint64_t last_number_ = 0, memory_bytes_ = 0;
};

}  // namespace braid::service
