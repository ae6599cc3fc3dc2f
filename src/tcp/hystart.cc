#include "tcp/hystart.h"

#include <algorithm>

namespace braid::tcp {

namespace {
// RFC 9406, 4.3.
constexpr Duration kMinRttThreshold = 4ms;
constexpr Duration kMaxRttThreshold = 16ms;
constexpr int kMinRttDivisor = 8;
constexpr uint32_t kRttSamples = 8;
constexpr uint32_t kConservativeGrowthDivisor = 4;
constexpr uint32_t kConservativeRounds = 5;
}  // namespace

void Hystart::begin_round(const AckSample& sample) {
  round_end_ = sample.snd_nxt;
  last_round_min_ = this_round_min_;
  this_round_min_ = Duration::max();
  samples_ = 0;
}

uint64_t Hystart::on_ack(const AckSample& sample, uint64_t acked_bytes) {
  if (phase_ == Phase::kDone) return acked_bytes;
  if (sample.snd_una >= round_end_) {
    if (phase_ == Phase::kConservative && ++conservative_rounds_ >= kConservativeRounds) {
      phase_ = Phase::kDone;
      return 0;
    }
    begin_round(sample);
  }
  if (sample.rtt > Duration(0)) {
    this_round_min_ = std::min(this_round_min_, sample.rtt);
    ++samples_;
  }
  if (samples_ >= kRttSamples && this_round_min_ != Duration::max()) {
    if (phase_ == Phase::kSlowStart && last_round_min_ != Duration::max()) {
      const Duration threshold =
          std::clamp(last_round_min_ / kMinRttDivisor, kMinRttThreshold, kMaxRttThreshold);
      if (this_round_min_ >= last_round_min_ + threshold) {
        baseline_min_ = this_round_min_;
        conservative_rounds_ = 0;
        phase_ = Phase::kConservative;
      }
    } else if (phase_ == Phase::kConservative && this_round_min_ < baseline_min_) {
      phase_ = Phase::kSlowStart;
    }
  }
  return phase_ == Phase::kConservative ? acked_bytes / kConservativeGrowthDivisor : acked_bytes;
}

}  // namespace braid::tcp
