#include "mptcp/scheduler/round_robin.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "mptcp/scheduler/preference.h"

namespace braid::mptcp {

void RoundRobin::rank(std::span<const SubflowView> subflows, std::span<uint8_t> order) {
  std::iota(order.begin(), order.end(), uint8_t{0});
  const auto key = [&](uint8_t position) {
    const SubflowView& s = subflows[position];
    const auto turns_away = static_cast<uint8_t>(s.index - last_ - 1);
    return std::tuple(preference_of(s), turns_away);
  };
  std::sort(order.begin(), order.end(), [&](uint8_t a, uint8_t b) { return key(a) < key(b); });
}

uint64_t RoundRobin::grant(const ScheduleInput& input) {
  if (!is_preferred(input)) return 0;
  const uint64_t bytes = grant_size(input);
  if (bytes > 0) last_ = input.asking->index;
  return bytes;
}

}  // namespace braid::mptcp
