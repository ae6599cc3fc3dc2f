#include "tcp/reno.h"

#include <algorithm>

namespace braid::tcp {

void Reno::on_ack(const AckSample& sample) {
  if (!sample.is_cwnd_limited) return;
  uint64_t acked = sample.acked_bytes;
  if (cwnd_bytes_ < ssthresh_bytes_) {
    const uint64_t step = std::min(acked, ssthresh_bytes_ - cwnd_bytes_);
    cwnd_bytes_ += step;
    acked -= step;
    if (acked == 0) return;
  }
  fraction_bytes_ += increase_bytes(sample, acked);
  const auto whole = static_cast<int64_t>(fraction_bytes_);
  fraction_bytes_ -= static_cast<double>(whole);
  const auto grown = static_cast<int64_t>(cwnd_bytes_) + whole;
  cwnd_bytes_ = static_cast<uint64_t>(std::max<int64_t>(grown, mss_bytes_));
}

void Reno::set_window(uint64_t cwnd_bytes, uint64_t ssthresh_bytes) {
  cwnd_bytes_ = std::max<uint64_t>(cwnd_bytes, mss_bytes_);
  ssthresh_bytes_ = ssthresh_bytes;
  fraction_bytes_ = 0;
}

void Reno::take_over(uint64_t cwnd_bytes, uint64_t ssthresh_bytes) {
  set_window(cwnd_bytes, ssthresh_bytes);
  before_reduction_ = {cwnd_bytes_, ssthresh_bytes_};
}

double Reno::increase_bytes(const AckSample&, uint64_t acked_bytes) {
  const uint64_t acked = std::min(acked_bytes, cwnd_bytes_);  // one segment a round trip
  return static_cast<double>(acked) * mss_bytes_ / static_cast<double>(cwnd_bytes_);
}

uint64_t Reno::reduced_window_bytes(const LossSample& sample) const {
  return std::max(window_in_use_bytes(sample, cwnd_bytes_, mss_bytes_) / 2, 2 * uint64_t{mss_bytes_});
}

void Reno::on_congestion(const LossSample& sample) {
  before_reduction_ = {cwnd_bytes_, ssthresh_bytes_};
  ssthresh_bytes_ = cwnd_bytes_ = reduced_window_bytes(sample);
  fraction_bytes_ = 0;
}

void Reno::on_timeout(const LossSample& sample, bool is_first) {
  if (is_first) {
    before_reduction_ = {cwnd_bytes_, ssthresh_bytes_};
    ssthresh_bytes_ = reduced_window_bytes(sample);
  }
  cwnd_bytes_ = mss_bytes_;
  fraction_bytes_ = 0;
}

void Reno::on_spurious() {
  cwnd_bytes_ = std::max(cwnd_bytes_, before_reduction_.cwnd_bytes);
  ssthresh_bytes_ = std::max(ssthresh_bytes_, before_reduction_.ssthresh_bytes);
}

// RFC 5681, 4.1. What the path bore before stays the aim of the slow start (RFC 7661, 4.4.2).
void Reno::on_idle_restart(Duration) {
  ssthresh_bytes_ = std::max(ssthresh_bytes_, cwnd_bytes_ / 4 * 3);
  cwnd_bytes_ = std::min(cwnd_bytes_, uint64_t{kInitialWindowSegments} * mss_bytes_);
}

void Reno::set_mss(uint32_t mss_bytes) {
  mss_bytes_ = mss_bytes;
  cwnd_bytes_ = std::max<uint64_t>(cwnd_bytes_, mss_bytes);
}

}  // namespace braid::tcp
