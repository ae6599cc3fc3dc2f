// The congestion window that a subflow usually has: what it could do, however little it is asked to do now.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"

namespace braid::mptcp {

/// An average over its last round trips under load. One that a scheduler leaves out keeps it, and so is not
/// judged by the window that its last loss has left.
class UsualWindow {
 public:
  /// Nothing was lost yet: it has no end in sight.
  static constexpr uint64_t kUnknown = UINT64_MAX;

  uint64_t bytes() const { return samples_ == 0 ? kUnknown : static_cast<uint64_t>(average_bytes_); }

  /// For each ACK. `ssthresh_bytes`: UINT64_MAX before the first loss.
  void on_ack(Time now, Duration srtt, uint64_t cwnd_bytes, uint64_t ssthresh_bytes,
              uint64_t in_flight_bytes) {
    if (ssthresh_bytes == UINT64_MAX || cwnd_bytes < ssthresh_bytes) return;
    if (2 * in_flight_bytes < cwnd_bytes || now - sampled_at_ < srtt) return;
    sampled_at_ = now;
    samples_ = std::min(samples_ + 1, kMostSamples);
    average_bytes_ += (static_cast<double>(cwnd_bytes) - average_bytes_) / samples_;
  }

 private:
  static constexpr int kMostSamples = 32;

  int samples_ = 0;
  double average_bytes_ = 0;
  Time sampled_at_{};
};

}  // namespace braid::mptcp
