#include "mptcp/scheduler/redundant.h"

#include "mptcp/scheduler/preference.h"

namespace braid::mptcp {

void Redundant::rank(std::span<const SubflowView> subflows, std::span<uint8_t> order) {
  rank_by_rtt(subflows, order);
}

uint64_t Redundant::grant(const ScheduleInput& input) { return is_preferred(input) ? grant_size(input) : 0; }

}  // namespace braid::mptcp
