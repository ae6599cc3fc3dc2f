#include "mptcp/scheduler/preference.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace braid::mptcp {

namespace {

/// 44 segments of an Ethernet path: with headers as much as one IP packet holds.
constexpr uint64_t kLargestGrant = 44 * 1460;

}  // namespace

Preference preference_of(const SubflowView& subflow) {
  if (!subflow.is_usable) return Preference::kUnusable;
  if (subflow.is_stalled) return subflow.is_backup ? Preference::kStalledBackup : Preference::kStalled;
  return subflow.is_backup ? Preference::kBackup : Preference::kRegular;
}

bool is_preferred(const ScheduleInput& input) {
  const Preference mine = preference_of(*input.asking);
  return mine != Preference::kUnusable &&
         std::ranges::none_of(input.subflows, [&](const SubflowView& s) { return preference_of(s) < mine; });
}

void rank_by_rtt(std::span<const SubflowView> subflows, std::span<uint8_t> order) {
  std::iota(order.begin(), order.end(), uint8_t{0});
  const auto key = [&](uint8_t position) {
    const SubflowView& s = subflows[position];
    return std::tuple(preference_of(s), s.srtt == Duration{0} ? Duration::max() : s.srtt, s.index);
  };
  std::sort(order.begin(), order.end(), [&](uint8_t a, uint8_t b) { return key(a) < key(b); });
}

const SubflowView* fastest_peer(const ScheduleInput& input) {
  const SubflowView* fastest = nullptr;
  for (const SubflowView& s : input.subflows) {
    if (preference_of(s) != preference_of(*input.asking) || s.srtt == Duration{0}) continue;
    if (fastest == nullptr || s.srtt < fastest->srtt) fastest = &s;
  }
  return fastest;
}

uint64_t grant_size(const ScheduleInput& input) {
  const SubflowView& asking = *input.asking;
  const uint64_t possible = std::min({asking.room_bytes, input.waiting_bytes, kLargestGrant});
  if (possible == input.waiting_bytes || asking.mss == 0) return possible;
  if (possible >= asking.mss) return possible - possible % asking.mss;
  const bool is_idle = asking.in_flight_bytes == 0 && asking.unsent_bytes == 0;
  return is_idle ? possible : 0;
}

}  // namespace braid::mptcp
