// The timestamps option of one connection: RFC 7323, with an offset of its own so that TSval tells nothing
// about other connections or the host's uptime.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/time.h"

namespace braid::tcp {

class TimestampClock {
 public:
  static constexpr Duration kTick = 1ms;
  /// After so long TS.Recent may have wrapped and is not to be believed (RFC 7323, 5.5).
  static constexpr Duration kRecentLifetime = 24 * 24h;

  explicit TimestampClock(uint32_t offset) : offset_(offset) {}

  uint32_t value(Time now) const {
    return offset_ + static_cast<uint32_t>(static_cast<uint64_t>(now.time_since_epoch() / kTick));
  }
  /// TSecr for what we send; 0 before anything came.
  uint32_t recent() const { return recent_; }
  bool has_recent() const { return has_recent_; }

  void set_recent(uint32_t value, Time now) {
    recent_ = value;
    recent_at_ = now;
    has_recent_ = true;
  }
  /// RFC 7323, 4.3, rule 2; the caller has checked that the segment spans Last.ACK.sent.
  void update_recent(uint32_t value, Time now) {
    if (static_cast<int32_t>(value - recent_) >= 0 || is_outdated(now)) set_recent(value, now);
  }
  /// PAWS (RFC 7323, 5.3, R1): the segment is older than what came before.
  bool is_old(uint32_t value, Time now) const {
    return has_recent_ && static_cast<int32_t>(value - recent_) < 0 && !is_outdated(now);
  }
  /// The round trip that an echoed TSval measures; nothing if it is shorter than a tick or makes no sense.
  std::optional<Duration> round_trip(uint32_t echo, Time now) const {
    const uint32_t ticks = value(now) - echo;
    if (echo == 0 || ticks == 0 || ticks > kMaxRoundTripTicks) return std::nullopt;
    return Duration(kTick * ticks);
  }

 private:
  static constexpr uint32_t kMaxRoundTripTicks = 600'000;
  bool is_outdated(Time now) const { return !has_recent_ || now - recent_at_ > kRecentLifetime; }

  uint32_t offset_;
  uint32_t recent_ = 0;
  bool has_recent_ = false;
  Time recent_at_{};
};

}  // namespace braid::tcp
