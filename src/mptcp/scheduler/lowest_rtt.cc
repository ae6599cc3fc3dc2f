#include "mptcp/scheduler/lowest_rtt.h"

#include <algorithm>

#include "mptcp/scheduler/preference.h"

namespace braid::mptcp {

void LowestRtt::rank(std::span<const SubflowView> subflows, std::span<uint8_t> order) {
  rank_by_rtt(subflows, order);
  const auto due = std::ranges::find_if(
      order, [&](uint8_t position) { return is_due_for_trial(subflows[position], subflows); });
  if (due != order.end()) std::rotate(order.begin(), due, due + 1);
}

/// Better ones were asked before and are full: who asks now is the best that can send. It had better not,
/// where that would close the window for a faster one.
uint64_t LowestRtt::grant(const ScheduleInput& input) {
  if (!is_preferred(input)) return 0;
  const uint64_t size = grant_size(input);
  if (is_due_for_trial(*input.asking, input.subflows))
    return std::min(size, kTrialSegments * input.asking->mss);
  const uint64_t unblocking = unblocking_bytes(input);
  if (size <= unblocking) return size;
  return unblocking - unblocking % std::max<uint64_t>(input.asking->mss, 1);
}

}  // namespace braid::mptcp
