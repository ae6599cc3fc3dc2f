// Hashed hierarchical timing wheels (Varghese and Lauck, 1987), with lazy timers: moving a deadline to a
// later time, which nearly every ACK does, touches no list.
#pragma once

#include <array>
#include <boost/intrusive/list.hpp>
#include <cstdint>

#include "base/time.h"

namespace braid {

/// Embed one in whatever has deadlines; it leaves its wheel when destroyed.
class Timer
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  /// What the timer is for: given back to the wheel's caller when it fires. Not owned.
  explicit Timer(void* owner = nullptr) : owner_(owner) {}
  void* owner() const { return owner_; }
  Time deadline() const { return deadline_; }

 private:
  friend class TimerWheel;
  void* owner_;
  Time deadline_ = kNever;
  uint64_t slot_tick_ = 0;  // the tick of the slot where it lies; never after the deadline's tick
};

/// All timers of a Host. Resolution kTick, rounded up: a timer never fires early.
class TimerWheel {
 public:
  static constexpr Duration kTick = 250us;

  explicit TimerWheel(Time start = Time{}) : start_(start) {}

  /// Sets, moves or (kNever) cancels. O(1).
  void set(Timer& timer, Time deadline);
  /// A time not later than the tick at which the next timer fires; kNever if there is none. Cheap, and exact
  /// enough to sleep on: waking then and calling advance() finds either a due timer or a better answer.
  Time next_deadline() const;
  /// Calls `fire(timer)` for each timer due at `now`, in order of their ticks; a fired timer is unset first,
  /// so that `fire` may set it again.
  template <class Fire>
  void advance(Time now, Fire&& fire) {
    const uint64_t target = floor_tick(now);
    while (collect(target)) {
      while (!due_.empty()) {
        Timer& timer = due_.front();
        due_.pop_front();
        if (timer.deadline_ == kNever) continue;
        if (ceil_tick(timer.deadline_) > current_) {  // moved later meanwhile, or from a coarser slot
          insert(timer);
          continue;
        }
        timer.deadline_ = kNever;
        fire(timer);
      }
    }
  }

 private:
  static constexpr int kSlotBits = 6;
  static constexpr int kSlots = 1 << kSlotBits;
  static constexpr int kLevels = 6;  // 64^6 ticks of 250 us: over 190 days
  using List = boost::intrusive::list<Timer, boost::intrusive::constant_time_size<false>>;

  uint64_t floor_tick(Time t) const { return t <= start_ ? 0 : static_cast<uint64_t>((t - start_) / kTick); }
  uint64_t ceil_tick(Time t) const {
    if (t <= start_) return 0;
    const Duration since = t - start_;
    return static_cast<uint64_t>(since / kTick) + (since % kTick != Duration::zero() ? 1 : 0);
  }
  void insert(Timer& timer);
  bool collect(uint64_t target);
  uint64_t next_tick() const;

  Time start_;
  uint64_t current_ = 0;  // every tick up to and including this one has been collected
  std::array<std::array<List, kSlots>, kLevels> wheel_;
  mutable std::array<uint64_t, kLevels> occupied_{};  // may name slots that were emptied since
  List due_;
};

}  // namespace braid
