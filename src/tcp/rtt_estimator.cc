#include "tcp/rtt_estimator.h"

#include <algorithm>
#include <cstdlib>

namespace braid::tcp {

namespace {
constexpr Duration kMinRttWindow = 300s;
// Of the caller's clock; a sample of zero would read as "none".
constexpr Duration kGranularity = 1us;
}  // namespace

void RttEstimator::on_sample(Duration rtt, Time now) {
  rtt =
      std::clamp(rtt, kGranularity, std::max(limits_.max, kGranularity));  // the peer's echo may be anything
  latest_ = rtt;
  if (!has_sample()) {  // RFC 6298, 2.2
    srtt_ = rtt;
    rttvar_ = rtt / 2;
  } else {  // RFC 6298, 2.3: beta 1/4, alpha 1/8
    const Duration error = rtt - srtt_;
    rttvar_ += (std::chrono::abs(error) - rttvar_) / 4;
    srtt_ = std::max(srtt_ + error / 8, kGranularity);
  }
  on_least_sample(rtt, now);
}

void RttEstimator::on_least_sample(Duration rtt, Time now) {
  const Least sample{std::max(rtt, kGranularity), now};
  if (least_[0].rtt == Duration(0) || sample.rtt <= least_[0].rtt || now - least_[2].at > kMinRttWindow) {
    least_.fill(sample);
    return;
  }
  if (sample.rtt <= least_[1].rtt) {
    least_[1] = least_[2] = sample;
  } else if (sample.rtt <= least_[2].rtt) {
    least_[2] = sample;
  }
  const Duration age = now - least_[0].at;
  if (age > kMinRttWindow) {
    least_ = {least_[1], least_[2], sample};
    if (now - least_[0].at > kMinRttWindow) least_ = {least_[1], least_[2], sample};
  } else if (least_[1].at == least_[0].at && age > kMinRttWindow / 4) {
    // A quarter of the window without a successor: choose one from the second quarter on.
    least_[1] = least_[2] = sample;
  } else if (least_[2].at == least_[1].at && age > kMinRttWindow / 2) {
    least_[2] = sample;
  }
}

Duration RttEstimator::rto() const {
  if (!has_sample()) return std::clamp(limits_.initial, limits_.min, limits_.max);
  // The floor lies under the variance, as in Linux, and not under the sum: a long steady path would
  // otherwise time out as soon as the peer delays an ACK.
  return std::min(srtt_ + std::max(4 * rttvar_, limits_.min), limits_.max);
}

}  // namespace braid::tcp
