#include "tcp/burst_limit.h"

#include <algorithm>

namespace braid::tcp {

namespace {
constexpr double kSlowStartPace = 2;
constexpr double kBurstSegments = 10;  // the initial window (RFC 6928)
// On a fast or short path more: nobody wants timers that fire more often.
constexpr Duration kBurstTime = 1ms;
}  // namespace

double BurstLimit::bytes_per_ns(const Window& window) {
  const double pace = window.is_slow_start ? kSlowStartPace : 1;
  return pace * static_cast<double>(window.cwnd_bytes) / static_cast<double>(window.srtt.count());
}

double BurstLimit::most_bytes(const Window& window) {
  const double segments = kBurstSegments * window.mss_bytes;
  if (window.srtt <= Duration(0)) return segments;
  return std::max(segments, bytes_per_ns(window) * static_cast<double>(kBurstTime.count()));
}

void BurstLimit::on_ack(uint64_t acked_bytes, const Window& window) {
  const double times = window.is_slow_start ? kSlowStartPace : 1;
  by_acks_bytes_ = std::min(by_acks_bytes_, most_bytes(window)) + times * static_cast<double>(acked_bytes);
}

void BurstLimit::on_sent(uint64_t bytes) {
  by_acks_bytes_ = std::max(by_acks_bytes_ - static_cast<double>(bytes), 0.0);
  by_time_bytes_ = std::max(by_time_bytes_ - static_cast<double>(bytes), 0.0);
}

uint64_t BurstLimit::allowance_bytes(Time now, const Window& window) {
  if (window.srtt <= Duration(0)) return UINT64_MAX;
  const double most = most_bytes(window), rate = bytes_per_ns(window);
  by_time_bytes_ += rate * static_cast<double>((now - filled_at_).count());
  by_time_bytes_ = std::min(by_time_bytes_, most);
  filled_at_ = now;
  deadline_ = kNever;
  const auto whole = static_cast<uint64_t>(std::max(by_acks_bytes_, by_time_bytes_) / window.mss_bytes);
  if (whole == 0) deadline_ = now + Duration(static_cast<int64_t>((most / 2 - by_time_bytes_) / rate) + 1);
  return whole * window.mss_bytes;
}

}  // namespace braid::tcp
