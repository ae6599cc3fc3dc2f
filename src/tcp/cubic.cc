#include "tcp/cubic.h"

#include <algorithm>
#include <cmath>

namespace braid::tcp {

namespace {
// RFC 9438, 4.6 and 5.1.
constexpr double kC = 0.4;  // segments per second cubed
constexpr double kBeta = 0.7;
constexpr double kAlpha = 3 * (1 - kBeta) / (1 + kBeta);

double seconds(Duration d) { return std::chrono::duration<double>(d).count(); }
}  // namespace

Cubic::Cubic(uint32_t mss_bytes) : mss_bytes_(mss_bytes) {
  window_.cwnd_bytes = static_cast<double>(kInitialWindowSegments) * mss_bytes;
  before_reduction_ = window_;
}

uint64_t Cubic::cwnd_bytes() const { return static_cast<uint64_t>(window_.cwnd_bytes); }

// RFC 9438, 4.2, equation 1, in octets.
double Cubic::w_cubic_bytes(double t_seconds) const {
  const double t = t_seconds - window_.k_seconds;
  return kC * t * t * t * mss_bytes_ + window_.w_max_bytes;
}

void Cubic::begin_epoch(Time now) {
  window_.epoch_start = now;
  window_.w_est_bytes = window_.cwnd_bytes;
  if (is_after_timeout_ || window_.cwnd_bytes >= window_.w_max_bytes) {
    window_.k_seconds = 0;
    window_.w_max_bytes = window_.cwnd_bytes;
  } else {
    window_.k_seconds = std::cbrt((window_.w_max_bytes - window_.cwnd_bytes) / mss_bytes_ / kC);
  }
  is_after_timeout_ = false;
}

void Cubic::on_ack(const AckSample& sample) {
  if (!sample.is_cwnd_limited) {
    // Time in which the window was not used must not make it grow (RFC 9438, 5.8).
    limited_by_application_since_ = earlier(limited_by_application_since_, sample.now);
    return;
  }
  if (limited_by_application_since_ != kNever) {
    if (window_.epoch_start != kNever) {
      window_.epoch_start += sample.now - std::max(limited_by_application_since_, window_.epoch_start);
    }
    limited_by_application_since_ = kNever;
  }
  uint64_t acked = sample.acked_bytes;
  if (cwnd_bytes() < window_.ssthresh_bytes) {
    acked = hystart_.on_ack(sample, acked);
    if (hystart_.is_done() && window_.ssthresh_bytes == UINT64_MAX) {
      window_.ssthresh_bytes = cwnd_bytes();
    } else {
      const uint64_t step = std::min(acked, window_.ssthresh_bytes - cwnd_bytes());
      window_.cwnd_bytes += static_cast<double>(step);
      acked -= step;
    }
  }
  if (acked > 0) grow(sample, static_cast<double>(acked));
}

void Cubic::grow(const AckSample& sample, double acked_bytes) {
  Window& w = window_;
  hystart_.finish();
  if (w.epoch_start == kNever) begin_epoch(sample.now);
  const double acked_share = std::min(acked_bytes / w.cwnd_bytes, 1.0);
  const double t = seconds(sample.now - w.epoch_start);

  // RFC 9438, 4.3, equation 4: once at the former window, as fast as Reno itself.
  w.w_est_bytes += (w.w_est_bytes < w.cwnd_prior_bytes ? kAlpha : 1.0) * acked_share * mss_bytes_;
  if (w_cubic_bytes(t) < w.w_est_bytes) {
    w.cwnd_bytes = std::max(w.cwnd_bytes, w.w_est_bytes);
    return;
  }
  // RFC 9438, 4.4 and 4.5: towards where the curve is one round trip ahead.
  const double target = std::clamp(w_cubic_bytes(t + seconds(sample.srtt)), w.cwnd_bytes, 1.5 * w.cwnd_bytes);
  w.cwnd_bytes += (target - w.cwnd_bytes) * acked_share;
}

// RFC 9438, 4.6 and 4.7.
void Cubic::reduce(const LossSample& sample) {
  before_reduction_ = window_;
  Window& w = window_;
  w.w_max_bytes = w.cwnd_bytes < w.w_max_bytes ? w.cwnd_bytes * (1 + kBeta) / 2 : w.cwnd_bytes;
  w.cwnd_prior_bytes = w.cwnd_bytes;
  const auto used = static_cast<double>(window_in_use_bytes(sample, cwnd_bytes(), mss_bytes_));
  w.ssthresh_bytes = static_cast<uint64_t>(std::max(used * kBeta, 2.0 * mss_bytes_));
  w.epoch_start = kNever;
  limited_by_application_since_ = kNever;
  hystart_.finish();
}

void Cubic::on_congestion(const LossSample& sample) {
  reduce(sample);
  window_.cwnd_bytes = static_cast<double>(window_.ssthresh_bytes);
  is_after_timeout_ = false;
}

void Cubic::on_timeout(const LossSample& sample, bool is_first) {
  if (is_first) reduce(sample);
  window_.cwnd_bytes = mss_bytes_;
  window_.epoch_start = kNever;
  is_after_timeout_ = true;
  limited_by_application_since_ = kNever;
}

void Cubic::on_spurious() {
  const Window before = before_reduction_;
  if (before.cwnd_bytes < window_.cwnd_bytes) return;
  window_ = before;
  is_after_timeout_ = false;
}

// RFC 5681, 4.1. What the path bore before stays the aim of the slow start (RFC 7661, 4.4.2).
void Cubic::on_idle_restart(Duration) {
  Window& w = window_;
  if (w.ssthresh_bytes != UINT64_MAX) {
    w.ssthresh_bytes = std::max(w.ssthresh_bytes, cwnd_bytes() / 4 * 3);
  }
  w.cwnd_bytes = std::min(w.cwnd_bytes, static_cast<double>(kInitialWindowSegments) * mss_bytes_);
  w.epoch_start = kNever;
}

/// An epoch that starts flat: nothing is known of the window before a loss.
void Cubic::take_over(uint64_t cwnd_bytes, uint64_t ssthresh_bytes) {
  window_ = {.cwnd_bytes = static_cast<double>(std::max<uint64_t>(cwnd_bytes, mss_bytes_)),
             .ssthresh_bytes = ssthresh_bytes};
  before_reduction_ = window_;
  if (ssthresh_bytes != UINT64_MAX) hystart_.finish();
}

void Cubic::set_mss(uint32_t mss_bytes) {
  mss_bytes_ = mss_bytes;
  window_.cwnd_bytes = std::max(window_.cwnd_bytes, static_cast<double>(mss_bytes));
}

}  // namespace braid::tcp
