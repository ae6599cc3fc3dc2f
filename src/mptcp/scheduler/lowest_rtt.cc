#include "mptcp/scheduler/lowest_rtt.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "mptcp/scheduler/preference.h"

namespace braid::mptcp {

void LowestRtt::rank(std::span<const SubflowView> subflows, std::span<uint8_t> order) {
  std::iota(order.begin(), order.end(), uint8_t{0});
  const auto key = [&](uint8_t position) {
    const SubflowView& s = subflows[position];
    // A subflow without a sample gets one as soon as the others are full.
    return std::tuple(preference_of(s), s.srtt == Duration{0} ? Duration::max() : s.srtt, s.index);
  };
  std::sort(order.begin(), order.end(), [&](uint8_t a, uint8_t b) { return key(a) < key(b); });
}

/// Better ones were asked before and are full: who asks now is the best that can send.
uint64_t LowestRtt::grant(const ScheduleInput& input) { return is_preferred(input) ? grant_size(input) : 0; }

}  // namespace braid::mptcp
