// HyStart++ (RFC 9406): slow start ends when the round-trip time shows that the queue grows, by way of a
// phase of conservative growth that is left again if it was jitter.
#pragma once

#include <cstdint>

#include "base/sequence.h"
#include "base/time.h"
#include "tcp/congestion_control.h"

namespace braid::tcp {

class Hystart {
 public:
  /// An ACK in slow start. Gives the octets by which the window may grow.
  uint64_t on_ack(const AckSample& sample, uint64_t acked_bytes);
  /// Slow start is over for good: congestion avoidance begins with the window as it is.
  bool is_done() const { return phase_ == Phase::kDone; }
  /// Congestion was met, or slow start left: it acts in the initial slow start only (RFC 9406, 4.3).
  void finish() { phase_ = Phase::kDone; }

 private:
  enum class Phase : uint8_t { kSlowStart, kConservative, kDone };
  void begin_round(const AckSample& sample);

  Phase phase_ = Phase::kSlowStart;
  StreamOffset round_end_;
  Duration last_round_min_{Duration::max()};
  Duration this_round_min_{Duration::max()};
  Duration baseline_min_{Duration::max()};  // when the conservative phase began
  uint32_t samples_ = 0;
  uint32_t conservative_rounds_ = 0;
};

}  // namespace braid::tcp
