#include "mptcp/scheduler/lowest_rtt.h"

#include "mptcp/scheduler/preference.h"

namespace braid::mptcp {

void LowestRtt::rank(std::span<const SubflowView> subflows, std::span<uint8_t> order) {
  rank_by_rtt(subflows, order);
}

/// Better ones were asked before and are full: who asks now is the best that can send.
uint64_t LowestRtt::grant(const ScheduleInput& input) { return is_preferred(input) ? grant_size(input) : 0; }

}  // namespace braid::mptcp
