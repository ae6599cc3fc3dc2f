#include "mptcp/scheduler/shared_buffer.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "mptcp/scheduler/preference.h"

namespace braid::mptcp {

/// Those of a kind as they come: the report has no order among them.
void SharedBuffer::rank(std::span<const SubflowView> subflows, std::span<uint8_t> order) {
  std::iota(order.begin(), order.end(), uint8_t{0});
  const auto key = [&](uint8_t position) {
    return std::tuple(preference_of(subflows[position]), subflows[position].index);
  };
  std::sort(order.begin(), order.end(), [&](uint8_t a, uint8_t b) { return key(a) < key(b); });
}

uint64_t SharedBuffer::grant(const ScheduleInput& input) {
  if (!is_preferred(input)) return 0;
  const uint64_t possible = grant_size(input);
  if (!input.is_send_buffer_full) return possible;
  const Preference kind = preference_of(*input.asking);
  const auto active = static_cast<uint64_t>(
      std::ranges::count_if(input.subflows, [&](const SubflowView& s) { return preference_of(s) == kind; }));
  return std::min(
      possible, std::max<uint64_t>(input.buffered_bytes / std::max<uint64_t>(active, 1), input.asking->mss));
}

}  // namespace braid::mptcp
