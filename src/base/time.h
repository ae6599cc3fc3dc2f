// Time as the engine sees it: always passed in, never read (docs/architecture.md, "the one rule").
#pragma once

#include <chrono>

namespace braid {

using Duration = std::chrono::nanoseconds;
using namespace std::chrono_literals;

/// The clock of a Host. Its epoch is the caller's choice (boot in the live world, zero in the simulator);
/// only differences mean anything. It has no now(): whoever calls the engine says what time it is.
struct EngineClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<EngineClock, Duration>;
  static constexpr bool is_steady = true;
};

using Time = EngineClock::time_point;

/// "No deadline": later than every real time.
inline constexpr Time kNever = Time::max();

constexpr Time earlier(Time a, Time b) { return a < b ? a : b; }

}  // namespace braid
