// The deadlines: reordering (RFC 8985, 6.3), tail probe (RFC 8985, 7), reneging, and timeout (RFC 6298, 5).
#include <algorithm>

#include "tcp/loss_recovery_state.h"

namespace braid::tcp {

Time LossRecovery::next_deadline() const {
  const State& s = *state_;
  if (s.queue.empty()) return kNever;
  return std::min({s.reorder_deadline, s.probe_deadline(), s.renege_deadline, s.rto_deadline()});
}

TimeoutAction LossRecovery::on_deadline(Time now) {
  State& s = *state_;
  if (s.queue.empty()) return TimeoutAction::kNone;
  if (now >= s.reorder_deadline) return s.on_reorder_deadline(now);
  if (now >= s.renege_deadline) {
    s.renege_deadline = kNever;
    if (!s.queue.head().is_sacked) return TimeoutAction::kNone;
    s.on_timeout(now);
    return TimeoutAction::kRto;
  }
  if (now >= s.probe_deadline()) {
    s.probe.on_fired(s.queue.outstanding_bytes());
    s.rto_from = now;
    s.totals.tail_probes += 1;
    return TimeoutAction::kTailProbe;
  }
  if (now >= s.rto_deadline()) {
    s.on_timeout(now);
    return TimeoutAction::kRto;
  }
  return TimeoutAction::kNone;
}

TimeoutAction LossRecovery::State::on_reorder_deadline(Time now) {
  reorder_deadline = kNever;
  const uint64_t prior_lost = queue.lost_bytes();
  const uint64_t prior_in_flight = in_flight_bytes();
  if (config.is_sack_enabled) rack_detect(now);
  if (queue.lost_bytes() == prior_lost)
    return prior_lost > 0 ? TimeoutAction::kReorder : TimeoutAction::kNone;
  if (phase == Phase::kOpen) {
    enter_recovery(now, queue.outstanding_bytes(), prior_in_flight);
  }
  if (phase == Phase::kRecovery) {
    prr.on_ack(0, in_flight_bytes(), cc->ssthresh_bytes(), config.mss_bytes, false);
  }
  return TimeoutAction::kReorder;
}

// RFC 6298, 5.4 to 5.7; what counts as lost is RFC 8985, 6.3's: everything but what went out so recently that
// its ACK can't be here yet.
void LossRecovery::State::on_timeout(Time now) {
  const bool is_reneging = queue.head().is_sacked;
  if (is_reneging) {
    queue.clear_sacked();
    totals.sack_reneges += 1;
  }
  const bool is_in_recovery = phase == Phase::kRecovery && queue.snd_una() < recovery_point;
  const bool is_first = timeouts == 0 && !is_in_recovery;
  cc->on_timeout(loss_sample(now, queue.outstanding_bytes()), is_first);
  if (is_first && phase == Phase::kOpen && !is_reneging) {
    spurious.on_timeout();
  } else {
    spurious.cancel();
  }
  if (config.is_sack_enabled && rack.has_sample() && !is_reneging) {
    const Duration window = rack.rtt() + rack.reordering_window(rtt.min_rtt(), rtt.srtt(), true);
    queue.mark_lost_while([&](const SentRecord& record) { return record.sent_at + window <= now; });
    queue.mark_head_lost(config.mss_bytes);
  } else {
    queue.mark_lost_while([](const SentRecord&) { return true; });
  }
  phase = Phase::kLoss;
  recovery_point = queue.snd_max();
  must_retransmit = true;
  duplicate_acks = 0;
  duplicate_ack_bytes = 0;
  probe.cancel();
  reorder_deadline = renege_deadline = kNever;
  if (timeouts < UINT32_MAX) ++timeouts;
  update_rto();
  totals.timeouts += 1;
  rto_from = now;
}

// RFC 8985, 7.2: in open state, with SACK, nothing SACKed, and not while another probe is on its way.
Time LossRecovery::State::probe_deadline() const {
  if (!config.is_sack_enabled || phase != Phase::kOpen || queue.empty() || queue.sacked_bytes() > 0 ||
      !rtt.has_sample() || probe.is_open() || probe.is_due() || timeouts > 0) {
    return kNever;
  }
  const bool is_single = queue.outstanding_bytes() <= config.mss_bytes;
  return std::min(probe_from + TailProbe::timeout(rtt.srtt(), is_single), rto_deadline());
}

}  // namespace braid::tcp
