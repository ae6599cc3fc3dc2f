#include "base/timer_wheel.h"

#include <algorithm>
#include <bit>

namespace braid {

void TimerWheel::set(Timer& timer, Time deadline) {
  if (deadline == timer.deadline_) return;
  timer.deadline_ = deadline;
  if (deadline == kNever) {
    timer.unlink();
    return;
  }
  // Lazy: where it lies it will be looked at in time, and moved on then.
  if (timer.is_linked() && timer.slot_tick_ <= std::max(ceil_tick(deadline), current_ + 1)) return;
  insert(timer);
}

void TimerWheel::insert(Timer& timer) {
  timer.unlink();
  constexpr uint64_t kHorizon = (uint64_t{1} << (kSlotBits * kLevels)) - 1;
  uint64_t tick = std::clamp(ceil_tick(timer.deadline_), current_ + 1, current_ + kHorizon);
  // The level is that of the highest bit in which the tick differs from now: there its slot is ahead of us.
  const int level = std::min((63 - std::countl_zero(tick ^ current_)) / kSlotBits, kLevels - 1);
  const auto slot = (tick >> (level * kSlotBits)) & (kSlots - 1);
  timer.slot_tick_ = tick >> (level * kSlotBits) << (level * kSlotBits);
  wheel_[level][slot].push_back(timer);
  occupied_[level] |= uint64_t{1} << slot;
}

uint64_t TimerWheel::next_tick() const {
  for (int level = 0; level < kLevels; ++level) {
    const auto here = (current_ >> (level * kSlotBits)) & (kSlots - 1);
    uint64_t ahead = here == kSlots - 1 ? 0 : occupied_[level] & (~uint64_t{0} << (here + 1));
    while (ahead != 0) {
      const int slot = std::countr_zero(ahead);
      if (!wheel_[level][slot].empty()) {
        const uint64_t above = current_ >> ((level + 1) * kSlotBits) << ((level + 1) * kSlotBits);
        return above + (static_cast<uint64_t>(slot) << (level * kSlotBits));
      }
      occupied_[level] &= ~(uint64_t{1} << slot);
      ahead &= ahead - 1;
    }
  }
  // Only the top level can wrap around; look at its slots behind us.
  for (int slot = 0; slot < kSlots; ++slot) {
    if (!wheel_[kLevels - 1][slot].empty()) {
      const uint64_t lap = uint64_t{1} << (kLevels * kSlotBits);
      return (current_ / lap + 1) * lap + (static_cast<uint64_t>(slot) << ((kLevels - 1) * kSlotBits));
    }
  }
  return UINT64_MAX;
}

Time TimerWheel::next_deadline() const {
  if (!due_.empty()) return start_ + kTick * static_cast<int64_t>(current_);
  const uint64_t tick = next_tick();
  return tick == UINT64_MAX ? kNever : start_ + kTick * static_cast<int64_t>(tick);
}

// Moves on to the next occupied slot not after `target`; its timers become due (and are looked at there,
// which puts those of a higher level back one level lower). False when nothing is left up to `target`.
bool TimerWheel::collect(uint64_t target) {
  const uint64_t tick = next_tick();
  if (tick > target) {
    current_ = std::max(current_, target);
    return false;
  }
  current_ = tick;
  for (int level = 0; level < kLevels; ++level) {
    const auto slot = (tick >> (level * kSlotBits)) & (kSlots - 1);
    if (level > 0 && (tick & ((uint64_t{1} << (level * kSlotBits)) - 1)) != 0) break;
    due_.splice(due_.end(), wheel_[level][slot]);
    occupied_[level] &= ~(uint64_t{1} << slot);
  }
  return true;
}

}  // namespace braid
