#include "tcp/loss_recovery.h"

#include <algorithm>

#include "base/check.h"
#include "tcp/loss_recovery_state.h"

namespace braid::tcp {

namespace {
uint32_t valid_mss(uint32_t mss_bytes) { return std::max<uint32_t>(mss_bytes, 1); }
}  // namespace

LossRecovery::State::State(const RecoveryConfig& recovery_config,
                           std::unique_ptr<CongestionControl> algorithm)
    : config(recovery_config), cc(std::move(algorithm)), rtt(recovery_config.rto) {
  BRAID_CHECK(cc != nullptr);
  config.mss_bytes = valid_mss(config.mss_bytes);
  update_rto();
}

LossRecovery::LossRecovery(const RecoveryConfig& config,
                           std::unique_ptr<CongestionControl> congestion_control)
    : state_(std::make_unique<State>(config, std::move(congestion_control))) {}
LossRecovery::~LossRecovery() = default;

uint64_t LossRecovery::State::in_flight_bytes() const {
  const uint64_t in_flight = queue.in_flight_bytes();
  return in_flight - std::min(in_flight, duplicate_ack_bytes);
}

void LossRecovery::State::update_rto() {
  rto = rtt.rto();
  const Duration cap = std::max(rto, std::min(config.rto_backoff_max, config.rto.max));
  for (uint32_t i = 0; i < timeouts && rto < cap; ++i) rto *= 2;  // RFC 6298, 5.5
  rto = std::min(rto, cap);
}

uint64_t LossRecovery::allowance_bytes() const {
  const uint32_t mss = state_->config.mss_bytes;
  if (state_->spurious.is_probing_with_new_data()) {
    return state_->spurious.new_data_allowance(mss);
  }
  const uint64_t window = state_->phase == State::Phase::kRecovery
                              ? state_->prr.cwnd_bytes()
                              : std::max<uint64_t>(state_->cc->cwnd_bytes(), mss);
  const uint64_t in_flight = state_->in_flight_bytes();
  auto allowance =
      static_cast<uint32_t>(std::min<uint64_t>(window > in_flight ? window - in_flight : 0, UINT32_MAX));
  // Whole segments only: what is in flight will make room for the next.
  allowance -= allowance % mss;
  if (state_->must_retransmit || state_->probe.is_due()) allowance = std::max(allowance, mss);
  return allowance;
}

void LossRecovery::begin_at(StreamOffset first) {
  BRAID_CHECK(state_->queue.empty() && state_->last_sent_at == kNever);
  state_->queue.begin_at(first);
}

void LossRecovery::on_sent(uint64_t bytes, Time now) {
  State& s = *state_;
  if (bytes == 0) return;
  before_send(now);
  if (s.queue.empty()) s.rto_from = s.progress_at = now;
  s.queue.append(bytes, s.config.mss_bytes, now);
  s.last_sent_at = now;
  s.is_application_limited = false;
  if (s.phase == State::Phase::kRecovery) s.prr.on_sent(bytes);
  s.spurious.on_sent(bytes);
  s.note_window_use();
  s.probe_from = now;
  if (s.probe.is_due()) s.probe.on_sent(s.queue.snd_max(), false);
}

void LossRecovery::on_retransmitted(ByteRange range, Time now) {
  State& s = *state_;
  range.begin = std::max(range.begin, s.queue.snd_una());
  range.end = std::min(range.end, s.queue.snd_max());
  if (range.begin >= range.end) return;
  s.totals.retransmitted_bytes += range.size();
  s.totals.retransmissions += 1;
  s.last_sent_at = now;
  s.must_retransmit = false;
  // The head gets a full timeout for this attempt too.
  if (range.begin == s.queue.snd_una()) s.rto_from = now;
  s.queue.mark_retransmitted(range, now);
  if (s.phase == State::Phase::kRecovery) s.prr.on_sent(range.size());
  s.spurious.on_retransmitted(range.size(), now);
  s.note_window_use();
  if (s.probe.is_due()) s.probe.on_sent(s.queue.snd_max(), true);
}

void LossRecovery::State::note_window_use() {
  const uint64_t in_flight = in_flight_bytes();
  if (in_flight < max_in_flight && queue.snd_una() < limited_until) return;
  max_in_flight = in_flight;
  is_window_full = in_flight + config.mss_bytes > cc->cwnd_bytes();
  limited_until = queue.snd_max();
}

void LossRecovery::before_send(Time now) {
  State& s = *state_;
  if (!s.queue.empty() || s.last_sent_at == kNever) return;
  const Duration idle = now - s.last_sent_at;
  if (idle <= s.rto) return;
  s.cc->on_idle_restart(idle);
  s.last_sent_at = now;
}

void LossRecovery::on_application_limited() {
  State& s = *state_;
  s.is_application_limited = true;
  s.spurious.on_nothing_new();
}

void LossRecovery::on_handshake_rtt(Duration rtt, Time now) {
  state_->rtt.on_sample(rtt, now);
  state_->update_rto();
  state_->cc->on_established(now);
}

void LossRecovery::set_sack_enabled(bool is_enabled) { state_->config.is_sack_enabled = is_enabled; }

void LossRecovery::set_mss(uint32_t mss_bytes) {
  state_->config.mss_bytes = valid_mss(mss_bytes);
  state_->cc->set_mss(state_->config.mss_bytes);
}

void LossRecovery::on_path_mtu_reduced(uint32_t mss_bytes) {
  set_mss(mss_bytes);
  state_->queue.mark_larger_lost(state_->config.mss_bytes);
  if (state_->queue.lost_bytes() > 0 && state_->phase == State::Phase::kOpen) {
    // Not congestion (RFC 1191, 6.5): the window stays, only the sending again is ordered.
    state_->phase = State::Phase::kLoss;
    state_->recovery_point = state_->queue.snd_max();
    state_->must_retransmit = true;
    state_->spurious.cancel();
  }
}

void LossRecovery::set_rto_backoff_max(Duration max) {
  state_->config.rto_backoff_max = max;
  state_->update_rto();
}

void LossRecovery::set_congestion_control(std::unique_ptr<CongestionControl> congestion_control) {
  BRAID_CHECK(congestion_control != nullptr);
  const uint64_t cwnd_bytes = state_->cc->cwnd_bytes(), ssthresh_bytes = state_->cc->ssthresh_bytes();
  state_->cc->on_closed();
  state_->cc = std::move(congestion_control);
  state_->cc->set_mss(state_->config.mss_bytes);
  state_->cc->take_over(cwnd_bytes, ssthresh_bytes);
  state_->spurious.cancel();
}

std::optional<ByteRange> LossRecovery::poll_retransmission(uint64_t max_bytes) const {
  if (max_bytes == 0 || state_->spurious.is_probing_with_new_data()) return std::nullopt;
  const ByteRange range = state_->queue.first_lost(max_bytes);
  if (range.begin == range.end) return std::nullopt;
  return range;
}

std::optional<ByteRange> LossRecovery::poll_tail_probe() const {
  if (!state_->probe.is_due()) return std::nullopt;
  const ByteRange range = state_->queue.last_unsacked(state_->config.mss_bytes);
  if (range.begin == range.end) return std::nullopt;
  return range;
}

uint64_t LossRecovery::cwnd_bytes() const { return state_->cc->cwnd_bytes(); }
uint64_t LossRecovery::in_flight_bytes() const { return state_->in_flight_bytes(); }
StreamOffset LossRecovery::snd_una() const { return state_->queue.snd_una(); }
StreamOffset LossRecovery::snd_max() const { return state_->queue.snd_max(); }
uint64_t LossRecovery::delivered_bytes() const {
  return state_->queue.snd_una().value() + state_->queue.sacked_bytes();
}
bool LossRecovery::has_outstanding() const { return !state_->queue.empty(); }
bool LossRecovery::in_recovery() const { return state_->phase != State::Phase::kOpen; }
uint32_t LossRecovery::consecutive_timeouts() const { return state_->timeouts; }
Time LossRecovery::stalled_since() const { return state_->queue.empty() ? kNever : state_->progress_at; }
Time LossRecovery::oldest_sent_at() const {
  return state_->queue.empty() ? kNever : state_->queue.head().sent_at;
}
Time LossRecovery::prompt_ack_sent_at() const {
  const SentQueue& queue = state_->queue;
  if (queue.empty()) return kNever;
  if (queue.sacked_bytes() > 0 || queue.head().is_retransmitted) return queue.head().sent_at;
  return queue.sent_at(queue.snd_una() + state_->config.mss_bytes);
}
const RttEstimator& LossRecovery::rtt() const { return state_->rtt; }
Duration LossRecovery::current_rto() const { return state_->rto; }
CongestionControl& LossRecovery::congestion_control() { return *state_->cc; }
const CongestionControl& LossRecovery::congestion_control() const { return *state_->cc; }
const LossRecovery::Totals& LossRecovery::totals() const { return state_->totals; }

}  // namespace braid::tcp
