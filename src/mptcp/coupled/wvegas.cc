#include "mptcp/coupled/wvegas.h"

#include <algorithm>

namespace braid::mptcp {

namespace {

// The values of the authors' implementation, in segments.
constexpr double kTotalAlpha = 10, kLeastAlpha = 2, kGamma = 1, kLeastWindow = 2;
constexpr uint32_t kFewestSamples = 3;  // a round trip that tells something

}  // namespace

/// Congestion avoidance goes by round trips: end_round(). Without any sample of them it is Reno.
double Wvegas::increase_bytes(const tcp::AckSample& sample, uint64_t acked_bytes) {
  return base_rtt_seconds_ > 0 ? 0 : CoupledMember::increase_bytes(sample, acked_bytes);
}

void Wvegas::on_ack(const tcp::AckSample& sample) {
  if (sample.rtt > Duration(0)) {
    const double rtt = std::chrono::duration<double>(sample.rtt).count();
    base_rtt_seconds_ = base_rtt_seconds_ > 0 ? std::min(base_rtt_seconds_, rtt) : rtt;
    round_.sum_seconds += rtt;
    ++round_.samples;
  }
  round_.is_limited |= sample.is_cwnd_limited;
  CoupledMember::on_ack(sample);  // slow start goes on with every ACK
  if (sample.snd_una < round_.end) return;
  end_round();
  round_ = {.end = sample.snd_nxt};
}

void Wvegas::end_round() {
  if (round_.samples < kFewestSamples) {
    // Too few to tell anything: as Reno.
    const bool may_grow = !in_slow_start() && round_.samples > 0 && round_.is_limited;
    if (may_grow) set_segments(static_cast<double>(cwnd_bytes()) / mss_bytes() + 1, false);
    return;
  }
  const double rtt = round_.sum_seconds / round_.samples;
  const double window = static_cast<double>(cwnd_bytes()) / mss_bytes();
  const double queued = window * (rtt - base_rtt_seconds_) / rtt;  // the paper's diff
  if (in_slow_start()) {
    if (queued > kGamma) leave_slow_start(window, window * base_rtt_seconds_ / rtt);
    return;
  }
  adapt(window, rtt, queued);
}

/// Down to what the path holds without a queue.
void Wvegas::leave_slow_start(double window, double target) {
  set_segments(std::min(window, target + 1), true);
}

void Wvegas::adapt(double window, double rtt, double queued) {
  if (queued >= alpha_segments_) {
    // Its weight is its share of what the connection carries (section IV).
    equilibrium_rate_ = static_cast<double>(cwnd_bytes()) / rtt;
    double total = 0;
    for_each_peer(
        [&](const CoupledMember& peer) { total += static_cast<const Wvegas&>(peer).equilibrium_rate_; });
    const double weight = total > 0 ? equilibrium_rate_ / total : 1;
    alpha_segments_ = std::max(kLeastAlpha, weight * kTotalAlpha);
  }
  if (queued > alpha_segments_) {
    set_segments(window - 1, true);
  } else if (queued < alpha_segments_ && round_.is_limited) {
    set_segments(window + 1, false);
  }
  // The path's queue has doubled since it was last empty of others: drain it, or the base RTT is never seen.
  const double queueing = rtt - base_rtt_seconds_;
  if (queued < alpha_segments_ || queueing <= 0) return;
  if (least_queueing_seconds_ == 0 || queueing < least_queueing_seconds_) least_queueing_seconds_ = queueing;
  if (queueing < 2 * least_queueing_seconds_) return;
  set_segments(window * base_rtt_seconds_ / (2 * rtt), true);
  least_queueing_seconds_ = 0;
}

void Wvegas::set_segments(double segments, bool is_threshold_too) {
  const auto bytes = static_cast<uint64_t>(std::max(segments, kLeastWindow) * mss_bytes());
  // Under the window: otherwise it would be slow start again.
  set_window(bytes, is_threshold_too ? std::min(ssthresh_bytes(), bytes) : ssthresh_bytes());
}

void Wvegas::on_congestion(const tcp::LossSample& sample) {
  CoupledMember::on_congestion(sample);
  round_ = {.end = round_.end};
}

void Wvegas::on_timeout(const tcp::LossSample& sample, bool is_first) {
  CoupledMember::on_timeout(sample, is_first);
  round_ = {.end = round_.end};
  equilibrium_rate_ = 0;
}

/// The path may be another by now.
void Wvegas::on_idle_restart(Duration idle) {
  CoupledMember::on_idle_restart(idle);
  base_rtt_seconds_ = least_queueing_seconds_ = 0;
  round_ = {.end = round_.end};
}

}  // namespace braid::mptcp
