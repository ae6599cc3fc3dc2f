// A token bucket for answers that strangers can provoke (RFC 5961, 7, has the same idea for challenge ACKs).
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"

namespace braid::host {

class RateLimit {
 public:
  RateLimit(uint64_t per_second, uint64_t burst)
      : interval_(Duration(1s) / static_cast<int64_t>(per_second)),
        depth_(interval_ * static_cast<int64_t>(burst)) {}

  /// Takes one; false if there is none left.
  bool take(Time now) {
    const Time floor = now - depth_;
    if (empty_at_ < floor) empty_at_ = floor;
    if (empty_at_ + interval_ > now) return false;
    empty_at_ += interval_;
    return true;
  }

 private:
  Duration interval_, depth_;
  Time empty_at_ = Time{} - Duration(24h);  // the bucket holds (now - empty_at_) / interval_ tokens
};

}  // namespace braid::host
