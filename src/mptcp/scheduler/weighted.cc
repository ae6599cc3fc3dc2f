#include "mptcp/scheduler/weighted.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "mptcp/scheduler/preference.h"

namespace braid::mptcp {

namespace {

/// What a path that had nothing to do, or no room, may claim later, in octets for a unit of weight.
constexpr double kMostClaim = 256 << 10;
/// How far ahead of the others a subflow may get, for the largest weight there is: one super-segment.
constexpr double kStrictLead = 64'240;

/// Less than a segment that is left is as good as nothing.
bool is_budget_spent(const SubflowView& s) {
  return s.policy.budget_bytes - std::min(s.policy.budget_bytes, s.sent_bytes) < std::max(s.mss, 1u);
}

/// Lower first. Paths of another level don't share: one has data only when all of a better level can't.
enum class Level : uint8_t { kRegular, kBackup, kBudgetSpent, kStalled, kUnusable };
Level level_of(const SubflowView& s) {
  switch (preference_of(s)) {
    case Preference::kUnusable:
      return Level::kUnusable;
    case Preference::kStalled:
    case Preference::kStalledBackup:
      return Level::kStalled;
    default:
      break;
  }
  if (is_budget_spent(s)) return Level::kBudgetSpent;
  return s.is_backup ? Level::kBackup : Level::kRegular;
}

bool is_full(const SubflowView& s) { return s.room_bytes < s.mss; }

}  // namespace

/// Takes note of what was sent since: grants may have been cut, and repeats count as well.
void Weighted::update(std::span<const SubflowView> subflows) {
  double least = -1, most = 0;
  for (const SubflowView& s : subflows) {
    const auto known = std::ranges::find(shares_, s.index, &Share::index);
    if (known == shares_.end() || s.sent_bytes < known->seen_bytes)
      continue;  // new, or its index is used again
    known->turns += static_cast<double>(s.sent_bytes - known->seen_bytes) / s.policy.weight;
    known->seen_bytes = s.sent_bytes;
    least = least < 0 ? known->turns : std::min(least, known->turns);
    most = std::max(most, known->turns);
  }
  least = std::max(least, 0.0);
  for (const SubflowView& s : subflows) {
    auto share = std::ranges::find(shares_, s.index, &Share::index);
    if (share == shares_.end()) share = shares_.insert(shares_.end(), {.index = s.index, .turns = least});
    if (s.sent_bytes < share->seen_bytes) *share = {.index = s.index, .turns = least};
    share->seen_bytes = s.sent_bytes;
    share->turns = std::max(share->turns, most - kMostClaim);
  }
}

double Weighted::turns_of(const SubflowView& subflow) const {
  const auto share = std::ranges::find(shares_, subflow.index, &Share::index);
  return share == shares_.end() ? 0 : share->turns;
}

void Weighted::rank(std::span<const SubflowView> subflows, std::span<uint8_t> order) {
  update(subflows);
  std::iota(order.begin(), order.end(), uint8_t{0});
  const auto key = [&](uint8_t position) {
    const SubflowView& s = subflows[position];
    return std::tuple(level_of(s), s.policy.priority, turns_of(s), s.index);
  };
  std::sort(order.begin(), order.end(), [&](uint8_t a, uint8_t b) { return key(a) < key(b); });
}

bool Weighted::is_ahead_of_its_share(const ScheduleInput& input) const {
  const SubflowView& asking = *input.asking;
  double least = turns_of(asking);
  uint32_t heaviest = asking.policy.weight;
  for (const SubflowView& s : input.subflows) {
    const bool is_peer = level_of(s) == level_of(asking) && s.policy.priority == asking.policy.priority;
    // Who has neither room nor anything under way may never go on: nobody waits for it.
    if (!is_peer || (is_full(s) && s.in_flight_bytes == 0)) continue;
    least = std::min(least, turns_of(s));
    heaviest = std::max(heaviest, s.policy.weight);
  }
  return turns_of(asking) > least + kStrictLead / heaviest;
}

uint64_t Weighted::grant(const ScheduleInput& input) {
  update(input.subflows);
  const SubflowView& asking = *input.asking;
  const Level level = level_of(asking);
  if (level == Level::kUnusable) return 0;
  for (const SubflowView& s : input.subflows) {
    if (level_of(s) < level) return 0;
    if (level_of(s) > level || s.policy.priority >= asking.policy.priority) continue;
    if (options_.is_standby || !is_full(s)) return 0;
  }
  if (options_.is_share_strict && is_ahead_of_its_share(input)) return 0;
  const uint64_t bytes = grant_size(input);
  if (is_budget_spent(asking)) return bytes;
  const uint64_t left = asking.policy.budget_bytes - asking.sent_bytes;
  return std::min(bytes, left);
}

}  // namespace braid::mptcp
