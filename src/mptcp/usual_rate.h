// The rate that a subflow usually has: what it could do, however little it is asked to do now.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"

namespace braid::mptcp {

/// An average over its last round trips under load. One that a scheduler leaves out keeps it, and so is not
/// judged by the window that its last loss has left, nor by a queue that has meanwhile drained.
class UsualRate {
 public:
  /// 0: not known. One that has not been seen for long may have become better, and has to be tried again.
  double bytes_per_s(Time now, Duration srtt) const {
    if (samples_ == 0 || now <= sampled_at_ || srtt <= Duration(0)) return average_;
    const double round_trips =
        static_cast<double>((now - sampled_at_).count()) / static_cast<double>(srtt.count());
    return average_ * (1 + kHopePerRoundTrip * round_trips);
  }

  struct Sample {
    Time now;
    Duration srtt{0}, min_rtt{0};
    uint64_t cwnd_bytes = 0, ssthresh_bytes = 0;  // UINT64_MAX: nothing was lost yet
    uint64_t in_flight_bytes = 0;                 // before the ACK
  };
  /// For each ACK. Before the first loss, only what fills the path's queue says what it carries.
  void on_ack(const Sample& s) {
    const bool has_lost = s.ssthresh_bytes != UINT64_MAX;
    if (has_lost && samples_ == 0 && s.srtt > Duration(0)) {
      // It may be left out from now on: better a first guess than none.
      samples_ = 1;
      sampled_at_ = s.now;
      average_ = static_cast<double>(s.ssthresh_bytes) / std::chrono::duration<double>(s.srtt).count();
    }
    if (2 * s.in_flight_bytes < s.cwnd_bytes || is_too_soon(s)) return;
    const bool has_queue = s.srtt > s.min_rtt + s.min_rtt / 2;
    if (has_lost ? s.cwnd_bytes < s.ssthresh_bytes : !has_queue) return;
    sampled_at_ = s.now;
    samples_ = std::min(samples_ + 1, kMostSamples);
    const auto bytes = static_cast<double>(has_lost ? s.cwnd_bytes : s.in_flight_bytes);
    average_ += (bytes / std::chrono::duration<double>(s.srtt).count() - average_) / samples_;
  }

 private:
  static constexpr int kMostSamples = 32;
  static constexpr double kHopePerRoundTrip = 1.0 / 512;
  bool is_too_soon(const Sample& s) const { return s.srtt <= Duration(0) || s.now - sampled_at_ < s.srtt; }

  int samples_ = 0;
  double average_ = 0;
  Time sampled_at_{};
};

}  // namespace braid::mptcp
