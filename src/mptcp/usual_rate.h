// The rate that a subflow usually has: what it could do, however little it is asked to do now.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/sequence.h"
#include "base/time.h"

namespace braid::mptcp {

/// An average over its last round trips under load. One that a scheduler leaves out keeps it, and so is not
/// judged by the window that its last loss has left, nor by a queue that has meanwhile drained.
class UsualRate {
 public:
  /// 0: not known. One that has not been seen for long may have become better, and has to be tried again.
  double bytes_per_s(Time now, Duration srtt) const {
    if (!has_met_limit_ || now <= used_at_ || srtt <= Duration(0)) return rate();
    const double round_trips =
        static_cast<double>((now - used_at_).count()) / static_cast<double>(srtt.count());
    return rate() * (1 + kHopePerRoundTrip * round_trips);
  }

  /// What it has carried at least, whether or not it could more.
  double shown_bytes_per_s() const { return seconds_ > 0 ? bytes_ / seconds_ : 0; }

  struct Sample {
    Time now;
    Duration srtt{0}, min_rtt{0};
    uint64_t cwnd_bytes = 0, ssthresh_bytes = 0;  // UINT64_MAX: nothing was lost yet
    uint64_t in_flight_bytes = 0;
    uint64_t delivered_bytes = 0;  // ever
    StreamOffset snd_una, snd_max;
  };
  /// For each ACK of new data.
  void on_ack(const Sample& s) {
    const bool has_lost = s.ssthresh_bytes != UINT64_MAX;
    if (has_lost && !has_met_limit_) on_first_loss(s);
    if (2 * s.in_flight_bytes < s.cwnd_bytes) is_round_limited_ = false;
    if (s.snd_una < round_end_) return;
    on_round(s, has_lost ? s.cwnd_bytes >= s.ssthresh_bytes : s.srtt > s.min_rtt + s.min_rtt / 2);
    round_began_ = s.now;
    round_delivered_ = s.delivered_bytes;
    round_end_ = s.snd_max;
    is_round_limited_ = true;
  }

 private:
  static constexpr int kMostSamples = 32, kRisingSamples = 4;
  static constexpr double kAsMuch = 0.9;
  static constexpr double kHopePerRoundTrip = 1.0 / 512;
  double rate() const { return has_met_limit_ ? shown_bytes_per_s() : 0; }

  /// It may be left out from now on: better a first guess than none.
  void on_first_loss(const Sample& s) {
    if (s.srtt <= Duration(0)) return;
    has_met_limit_ = true;
    used_at_ = s.now;
    const auto bytes = static_cast<double>(s.ssthresh_bytes);
    const double seconds = std::chrono::duration<double>(s.srtt).count();
    if (samples_ > 0 && bytes * seconds_ <= bytes_ * seconds) return;
    samples_ = 1;
    bytes_ = bytes;
    seconds_ = seconds;
  }
  /// A round trip in which the path was the limit says what it carries; one in which it was not, what it
  /// carries at least.
  void on_round(const Sample& s, bool is_limit_the_paths) {
    const double took = std::chrono::duration<double>(s.now - round_began_).count();
    const auto bytes = static_cast<double>(s.delivered_bytes - round_delivered_);
    if (took <= 0 || round_end_ == StreamOffset()) return;
    const bool is_limited = is_round_limited_ && is_limit_the_paths;
    const bool is_as_much = samples_ == 0 || bytes * seconds_ >= kAsMuch * bytes_ * took;
    if (is_limited || is_as_much) {
      has_met_limit_ = has_met_limit_ || is_limited;
      samples_ = std::min(samples_ + 1, kMostSamples);
      const int weight = is_limited ? samples_ : std::min(samples_, kRisingSamples);
      bytes_ += (bytes - bytes_) / weight;
      seconds_ += (took - seconds_) / weight;
      used_at_ = s.now;
    } else if (2 * bytes * seconds_ > bytes_ * took) {
      used_at_ = s.now;
    }
  }

  bool has_met_limit_ = false;
  int samples_ = 0;
  double bytes_ = 0, seconds_ = 0;  // of a round trip
  Time used_at_{};
  Time round_began_{};
  uint64_t round_delivered_ = 0;
  StreamOffset round_end_;
  bool is_round_limited_ = false;
};

}  // namespace braid::mptcp
