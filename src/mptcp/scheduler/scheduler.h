// Schedulers: which subflow may have how many of the bytes that wait. Called by pull: a subflow with room
// asks.
//
// To add one: derive, answer grant(), register it by name in scheduler.cc (see lowest_rtt.cc).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/sequence.h"
#include "base/time.h"

namespace braid::mptcp {

/// A subflow as a scheduler sees it.
struct SubflowView {
  uint8_t index = 0;        // stable while the subflow lives, unique in the connection
  bool is_backup = false;   // ours or the peer's wish (MP_PRIO, MP_JOIN's B)
  bool is_stalled = false;  // its ACKs are overdue, or a timeout happened, and nothing was heard since
  bool is_usable = false;   // fully established, may carry data
  Duration srtt{0};         // 0: no sample yet
  Duration min_rtt{0};      // likewise
  uint64_t cwnd_bytes = 0;
  double usual_rate = 0;  // octets a second when it is busy; 0: not known, it has met no limit yet
  uint64_t in_flight_bytes = 0;
  uint64_t room_bytes = 0;  // congestion and send window have room for this many now
  uint32_t mss = 0;
  uint64_t unsent_bytes = 0;  // granted to it, not sent yet
};

struct ScheduleInput {
  std::span<const SubflowView> subflows;  // all of the connection
  const SubflowView* asking = nullptr;    // which of them asks
  uint64_t waiting_bytes = 0;             // not given to any subflow, within the connection's window
  uint64_t reinject_bytes = 0;            // held by stalled subflows, to be given again first
  bool is_send_buffer_full = false;
  /// How far data may run ahead of DATA_ACK: the peer's window, or the send buffer where that is less.
  uint64_t window_bytes = UINT64_MAX;
  double caution =
      1;  // how many times the estimate to leave free in it: more where that was too little before
  Time now;
};

class Scheduler {
 public:
  virtual ~Scheduler() = default;
  virtual std::string_view name() const = 0;
  /// The order in which subflows are asked, best first: writes positions in `subflows` (not
  /// SubflowView::index) to `order`, which has the same length.
  virtual void rank(std::span<const SubflowView> subflows, std::span<uint8_t> order) = 0;
  /// How many octets the asking subflow gets, at most min(room, waiting). 0: not it, or not now.
  virtual uint64_t grant(const ScheduleInput& input) = 0;
};

/// By name ("lowest-rtt"); nothing for an unknown one.
std::unique_ptr<Scheduler> make_scheduler(std::string_view name);
std::vector<std::string> scheduler_names();

}  // namespace braid::mptcp
