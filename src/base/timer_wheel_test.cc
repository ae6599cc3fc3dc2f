#include "base/timer_wheel.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace braid {
namespace {

constexpr Time at(Duration since_start) { return Time{} + since_start; }

/// The time at which a timer with this deadline may fire: the deadline, rounded up to a tick.
Time tick_of(Time deadline) {
  const Duration since = deadline - Time{};
  return Time{} + (since + TimerWheel::kTick - Duration(1)) / TimerWheel::kTick * TimerWheel::kTick;
}

std::vector<Timer*> fired_by(TimerWheel& wheel, Time now) {
  std::vector<Timer*> fired;
  wheel.advance(now, [&](Timer& timer) { fired.push_back(&timer); });
  return fired;
}

TEST(TimerWheel, WithoutTimersHasNoDeadline) {
  TimerWheel wheel;
  EXPECT_EQ(wheel.next_deadline(), kNever);
  EXPECT_TRUE(fired_by(wheel, at(24h)).empty());
  EXPECT_EQ(wheel.next_deadline(), kNever);
}

TEST(TimerWheel, FiresAtTheTickAfterTheDeadlineNeverBefore) {
  TimerWheel wheel;
  Timer timer;
  wheel.set(timer, at(1001us));
  EXPECT_TRUE(fired_by(wheel, at(1249us)).empty());
  EXPECT_EQ(fired_by(wheel, at(1250us)), std::vector{&timer});
  EXPECT_EQ(timer.deadline(), kNever);
  EXPECT_TRUE(fired_by(wheel, at(1h)).empty());
}

TEST(TimerWheel, GivesTheOwnerBack) {
  TimerWheel wheel;
  int owner = 0;
  Timer timer(&owner);
  EXPECT_EQ(timer.owner(), &owner);
}

TEST(TimerWheel, ADeadlineInThePastFiresAtTheNextTick) {
  TimerWheel wheel;
  Timer timer;
  fired_by(wheel, at(10ms));
  wheel.set(timer, at(1ms));
  EXPECT_LE(wheel.next_deadline(), at(10ms + TimerWheel::kTick));
  EXPECT_EQ(fired_by(wheel, wheel.next_deadline()), std::vector{&timer});
}

TEST(TimerWheel, ATimerSetAgainWhileItFiresFiresAgain) {
  TimerWheel wheel;
  Timer timer;
  wheel.set(timer, at(1ms));
  int count = 0;
  wheel.advance(at(10ms), [&](Timer& t) {
    ++count;
    wheel.set(t, at(1ms * (count + 1)));
  });
  EXPECT_EQ(count, 10);
  EXPECT_EQ(timer.deadline(), at(11ms));
}

TEST(TimerWheel, ATimerCancelledByAnotherThatFiresAtTheSameTickDoesNotFire) {
  TimerWheel wheel;
  Timer first, second;
  wheel.set(first, at(1ms));
  wheel.set(second, at(1ms));
  int count = 0;
  wheel.advance(at(1ms), [&](Timer& t) {
    ++count;
    wheel.set(&t == &first ? second : first, kNever);
  });
  EXPECT_EQ(count, 1);
  EXPECT_EQ(wheel.next_deadline(), kNever);
}

TEST(TimerWheel, ATimerDestroyedOrPostponedByAnotherThatFiresDoesNotFire) {
  TimerWheel wheel;
  Timer first;
  auto second = std::make_unique<Timer>();
  Timer third;
  wheel.set(first, at(1ms));
  wheel.set(*second, at(1ms));
  wheel.set(third, at(1ms));
  std::vector<Timer*> fired;
  wheel.advance(at(1ms), [&](Timer& t) {
    fired.push_back(&t);
    second.reset();
    wheel.set(third, at(2ms));
  });
  EXPECT_EQ(fired, std::vector{&first});
  EXPECT_EQ(fired_by(wheel, at(2ms)), std::vector{&third});
}

TEST(TimerWheel, InOneJumpTimersFireInOrderOfTheirTicks) {
  TimerWheel wheel;
  std::vector<Timer> timers(200);
  for (size_t i = 0; i < timers.size(); ++i) wheel.set(timers[i], at(1ms * ((i * 73) % timers.size() + 1)));
  std::vector<Duration> order;
  wheel.advance(at(1h), [&](Timer& t) {
    const auto i = static_cast<size_t>(&t - timers.data());
    order.push_back(1ms * ((i * 73) % timers.size() + 1));
  });
  ASSERT_EQ(order.size(), timers.size());
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(TimerWheel, DeadlinesBeyondItsHorizonAreKept) {
  TimerWheel wheel;
  Timer year, age, last;
  wheel.set(year, at(24h * 365));
  wheel.set(age, at(24h * 365 * 100));
  wheel.set(last, kNever - Duration(1));
  EXPECT_TRUE(fired_by(wheel, at(24h * 365 - 1s)).empty());
  EXPECT_EQ(fired_by(wheel, at(24h * 365)), std::vector{&year});
  EXPECT_TRUE(fired_by(wheel, at(24h * 365 * 99)).empty());
  EXPECT_EQ(fired_by(wheel, at(24h * 365 * 100)), std::vector{&age});
  EXPECT_NE(wheel.next_deadline(), kNever);
}

TEST(TimerWheel, CountsFromItsStart) {
  const Time start = at(123456789012345ns);
  TimerWheel wheel(start);
  Timer timer;
  wheel.set(timer, start + 1ms);
  EXPECT_EQ(wheel.next_deadline(), start + 1ms);
  EXPECT_TRUE(fired_by(wheel, start + 999us).empty());
  EXPECT_EQ(fired_by(wheel, start + 1ms), std::vector{&timer});
}

/// A wheel beside an exact model, under random commands.
class Model {
 public:
  explicit Model(size_t timers) : timers_(timers), deadlines_(timers) {}

  void set(size_t i, Duration from_now) {
    deadlines_[i] = now_ + from_now;
    wheel_.set(timers_[i], *deadlines_[i]);
  }
  void cancel(size_t i) {
    deadlines_[i].reset();
    wheel_.set(timers_[i], kNever);
  }
  void advance(Duration by) {
    // A deadline that had already passed when it was set is due at the next tick.
    const Time soonest = Time{} + (now_ - Time{}) / TimerWheel::kTick * TimerWheel::kTick + TimerWheel::kTick;
    now_ += by;
    std::multimap<Time, size_t> due;
    for (size_t i = 0; i < timers_.size(); ++i) {
      if (!deadlines_[i]) continue;
      const Time tick = std::max(tick_of(*deadlines_[i]), soonest);
      if (tick <= now_) due.emplace(tick, i);
    }
    Time last{};
    wheel_.advance(now_, [&](Timer& timer) {
      const auto i = static_cast<size_t>(&timer - timers_.data());
      RC_ASSERT(deadlines_[i].has_value());
      const Time tick = std::max(tick_of(*deadlines_[i]), soonest);
      RC_ASSERT(tick <= now_);
      RC_ASSERT(tick >= last);
      last = tick;
      deadlines_[i].reset();
    });
    for (const auto& [tick, i] : due) RC_ASSERT(!deadlines_[i].has_value());
  }
  void check_next_deadline() {
    Time earliest = kNever;
    for (const auto& deadline : deadlines_) {
      if (deadline) earliest = std::min(earliest, tick_of(*deadline));
    }
    const Time next = wheel_.next_deadline();
    if (earliest == kNever) {
      RC_ASSERT(next == kNever);
    } else {
      RC_ASSERT(next <= std::max(earliest, now_ + TimerWheel::kTick));
    }
  }
  /// Sleeping until next_deadline() again and again reaches every timer in time and ends.
  void drain() {
    while (wheel_.next_deadline() != kNever) {
      const Time next = wheel_.next_deadline();
      RC_ASSERT(next > now_ - TimerWheel::kTick);
      advance(std::max(next - now_, Duration::zero()));
    }
    for (const auto& deadline : deadlines_) RC_ASSERT(!deadline.has_value());
  }

 private:
  TimerWheel wheel_;
  Time now_{};
  std::vector<Timer> timers_;
  std::vector<std::optional<Time>> deadlines_;
};

/// From nanoseconds to a year, each order of magnitude as often as the others.
Duration any_duration() {
  const int bits = *rc::gen::inRange(0, 55);
  return Duration(*rc::gen::inRange<int64_t>(0, int64_t{1} << bits));
}

RC_GTEST_PROP(TimerWheel, BehavesAsAnExactModel, ()) {
  const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 100));
  Model model(10);
  for (const int step : steps) {
    const auto i = static_cast<size_t>(*rc::gen::inRange(0, 10));
    if (step < 55) {
      model.set(i, any_duration());
    } else if (step < 65) {
      model.cancel(i);
    } else {
      model.advance(any_duration());
    }
    model.check_next_deadline();
  }
  model.drain();
}

}  // namespace
}  // namespace braid
