// What an ACK teaches: scoreboard, round-trip time, losses, and congestion control's share of it.
#include <algorithm>
#include <utility>

#include "tcp/loss_recovery_state.h"

namespace braid::tcp {

namespace {
constexpr uint32_t kDupThresh = 3;
// The clock of our timestamps ticks in milliseconds: an echo may be this much younger than it says.
constexpr Duration kTimestampTick = 1ms;
}  // namespace

AckOutcome LossRecovery::on_ack(const AckInput& input) {
  State& s = *state_;
  AckOutcome outcome;
  if (input.ack < s.queue.snd_una() || input.ack > s.queue.snd_max()) return outcome;
  State::Round round(input);
  round.prior_flight_size = s.queue.outstanding_bytes();
  round.prior_in_flight = s.in_flight_bytes();
  round.prior_sacked = s.queue.sacked_bytes();
  round.prior_lost = s.queue.lost_bytes();
  round.did_advance = input.ack > s.queue.snd_una();
  if (input.timestamp_rtt) round.echoed = input.now - *input.timestamp_rtt + kTimestampTick;

  if (round.did_advance) s.take_cumulative(round);
  if (s.config.is_sack_enabled) {
    if (!input.sack.empty()) s.take_sacks(round);
  } else {
    s.take_duplicate(round);
  }
  if (round.acked_bytes > 0) {
    s.timeouts = 0;
    s.progress_at = s.probe_from = input.now;
    s.sample_rtt(round);
  }
  s.close_probe(round);
  outcome.was_spurious = s.undo_if_spurious(round);
  s.leave_recovery(round);
  s.detect_losses(round);
  s.respond(round);
  s.restart_timers(round);

  outcome.newly_acked_bytes = round.acked_bytes;
  outcome.did_advance = round.did_advance;
  outcome.has_new_losses = s.queue.lost_bytes() > 0;
  return outcome;
}

void LossRecovery::State::take_cumulative(Round& round) {
  queue.acknowledge(round.input.ack, [&](const Delivery& d) { take_delivery(round, d, true); });
  round.delivered_bytes = round.acked_bytes;
  if (config.is_sack_enabled) return;
  // Octets that duplicate ACKs had reported already (RFC 9937, 5.2); one segment filled the hole.
  const uint64_t reported = round.acked_bytes - std::min<uint64_t>(round.acked_bytes, config.mss_bytes);
  const uint64_t taken = std::min(duplicate_ack_bytes, reported);
  duplicate_ack_bytes -= taken;
  round.delivered_bytes -= taken;
  if (queue.empty()) duplicate_ack_bytes = 0;
}

void LossRecovery::State::take_delivery(Round& round, const Delivery& delivery, bool is_cumulative) {
  round.acked_bytes += delivery.size();
  if (!delivery.was_lost) round.credited_bytes += delivery.size();
  if (delivery.is_retransmitted) {
    if (is_cumulative) round.covers_retransmission = true;
  } else {
    if (delivery.begin < recovery_point) round.has_original = true;
    if (is_cumulative) round.oldest_sent = earlier(round.oldest_sent, delivery.sent_at);
    round.youngest_sent = std::max(round.youngest_sent, delivery.sent_at);
  }
  if (config.is_sack_enabled &&
      rack.on_delivered(delivery, round.input.now, rtt.min_rtt(), round.echoed.value_or(kNever))) {
    totals.reordering_seen += 1;
  }
}

void LossRecovery::State::take_sacks(Round& round) {
  auto blocks = round.input.sack;
  // RFC 2883, 4: the first block is a D-SACK if it lies below the ACK, or inside the second.
  const ByteRange& first = blocks.front();
  if (first.begin < first.end &&
      (first.end <= round.input.ack ||
       (blocks.size() > 1 && first.begin >= blocks[1].begin && first.end <= blocks[1].end))) {
    round.dsack = first;
    take_dsack(round);
  }
  // In sequence order, or what arrived in order would look reordered.
  for (size_t i = 1; i < blocks.size(); ++i) {
    for (size_t j = i; j > 0 && blocks[j].begin < blocks[j - 1].begin; --j) {
      std::swap(blocks[j], blocks[j - 1]);
    }
  }
  const uint64_t acked_before = round.acked_bytes;
  for (const ByteRange& block : blocks) {
    // Only what lies within (snd_una, snd_max) means anything.
    if (block.begin <= queue.snd_una() || block.end > queue.snd_max() || block.begin >= block.end) continue;
    queue.mark_sacked(block, [&](const Delivery& d) { take_delivery(round, d, false); });
  }
  round.has_sacked = round.acked_bytes != acked_before;
  round.delivered_bytes += round.acked_bytes - acked_before;
}

void LossRecovery::State::take_dsack(Round& round) {
  totals.dsacks += 1;
  // A tail probe repeats on suspicion; that says nothing about reordering.
  if (!(probe.is_open() && round.dsack->end == queue.snd_max())) {
    rack.on_dsack(queue.snd_una(), queue.snd_max());
  }
}

// RFC 5681, 2 and 3.2, RFC 6582: without SACK, each duplicate ACK says that one segment has left the network.
void LossRecovery::State::take_duplicate(Round& round) {
  const AckInput& input = round.input;
  if (round.did_advance || queue.empty() || input.has_payload || input.is_window_update) return;
  round.is_duplicate = true;
  if (duplicate_acks < UINT32_MAX) ++duplicate_acks;
  const uint64_t counted = std::min<uint64_t>(config.mss_bytes, in_flight_bytes());
  duplicate_ack_bytes += counted;
  round.delivered_bytes += counted;
}

// RFC 6298, 3 (Karn's rule), RFC 7323, 4.
void LossRecovery::State::sample_rtt(const Round& round) {
  const Time now = round.input.now;
  if (round.oldest_sent != kNever && !round.covers_retransmission) {
    rtt.on_sample(now - round.oldest_sent, now);
    if (round.youngest_sent > round.oldest_sent) rtt.on_least_sample(now - round.youngest_sent, now);
  } else if (round.has_sacked && round.youngest_sent != Time::min() && !round.covers_retransmission) {
    rtt.on_sample(now - round.youngest_sent, now);
  } else if (round.input.timestamp_rtt && round.did_advance) {
    rtt.on_sample(*round.input.timestamp_rtt, now);
  }
  update_rto();
}

void LossRecovery::State::close_probe(const Round& round) {
  if (!probe.is_open() && !probe.is_due()) return;
  probe_from = round.input.now;
  const bool is_plain_duplicate = !round.did_advance && !round.has_sacked && round.input.sack.empty() &&
                                  !round.input.has_payload && !round.input.is_window_update;
  if (probe.on_ack(round.input.ack, round.dsack.has_value(), is_plain_duplicate) && phase == Phase::kOpen) {
    cc->on_congestion(loss_sample(round.input.now, probe.flight_bytes()));
    spurious.cancel();
  }
}

bool LossRecovery::State::undo_if_spurious(const Round& round) {
  if (!spurious.is_armed()) return false;
  SpuriousEvidence evidence;
  evidence.did_advance = round.did_advance;
  evidence.is_duplicate = round.is_duplicate || round.has_sacked;
  evidence.has_original = round.has_original;
  evidence.covers_retransmission = round.covers_retransmission;
  evidence.covers_recovery_point = queue.snd_una() >= recovery_point;
  evidence.can_send_new = !is_application_limited;
  evidence.echoed = round.echoed;
  if (round.dsack) evidence.dsacked_bytes = round.dsack->size();
  if (!spurious.on_ack(evidence)) return false;
  if (phase == Phase::kRecovery) rack.on_reordering();
  cc->on_spurious();
  queue.clear_lost();
  phase = Phase::kOpen;
  must_retransmit = false;
  probe_from = round.input.now;
  totals.spurious += 1;
  return true;
}

void LossRecovery::State::leave_recovery(Round& round) {
  if (!round.did_advance) return;
  if (phase != Phase::kLoss) duplicate_acks = 0;
  if (phase == Phase::kOpen || queue.snd_una() < recovery_point) return;
  if (phase == Phase::kRecovery) {
    rack.on_recovery_end();
    round.is_end_of_recovery = true;
  }
  phase = Phase::kOpen;
  must_retransmit = false;
  duplicate_ack_bytes = 0;
}

void LossRecovery::State::detect_losses(Round& round) {
  if (queue.empty()) return;
  if (config.is_sack_enabled) {
    if (round.acked_bytes > 0 || reorder_deadline != kNever) rack_detect(round.input.now);
  } else if (phase == Phase::kRecovery && round.did_advance) {
    if (!queue.head().is_lost) queue.mark_head_lost(config.mss_bytes);  // partial ACK (RFC 6582, 3.2, step 3)
  } else if (phase == Phase::kOpen && duplicate_acks == kDupThresh && round.is_duplicate &&
             queue.snd_una() > recovery_point) {
    queue.mark_head_lost(config.mss_bytes);
  }
  if (phase == Phase::kOpen && queue.lost_bytes() > 0) {
    const uint64_t in_flight_and_delivered =
        round.prior_flight_size - std::min(round.prior_flight_size, round.prior_sacked);
    enter_recovery(round.input.now, round.prior_flight_size, in_flight_and_delivered);
  }
}

// RFC 8985, 6.2, step 5.
void LossRecovery::State::rack_detect(Time now) {
  reorder_deadline = kNever;
  if (!rack.has_sample()) return;
  const bool is_impatient = phase != Phase::kOpen || queue.sacked_segments() >= kDupThresh;
  const Duration window = rack.rtt() + rack.reordering_window(rtt.min_rtt(), rtt.srtt(), is_impatient);
  const SentRecord* first = queue.mark_lost_while(
      [&](const SentRecord& record) { return rack.is_overtaken(record) && record.sent_at + window <= now; });
  if (first != nullptr && rack.is_overtaken(*first)) reorder_deadline = first->sent_at + window;
}

void LossRecovery::State::enter_recovery(Time now, uint64_t flight_size, uint64_t recover_flight) {
  phase = Phase::kRecovery;
  recovery_point = queue.snd_max();
  totals.recoveries += 1;
  spurious.on_recovery();
  probe.cancel();
  // What was in use in the last round trip (RFC 7661, 4.2: pipeACK): who was kept from sending since has no
  // less of a path for that.
  cc->on_congestion(loss_sample(now, std::max(flight_size, max_in_flight)));
  prr.enter(recover_flight);
}

bool LossRecovery::State::is_cwnd_limited() const {
  if (is_window_full) return true;
  // Slow start doubles: half used is enough (as Linux does).
  return cc->in_slow_start() && cc->cwnd_bytes() < 2 * max_in_flight;
}

void LossRecovery::State::respond(const Round& round) {
  const Time now = round.input.now;
  if (round.input.is_ecn_echo && phase == Phase::kOpen && queue.snd_una() > ecn_point) {
    cc->on_congestion(loss_sample(now, round.prior_flight_size));  // RFC 3168, 6.1.2
    spurious.cancel();
    ecn_point = queue.snd_max();
    return;
  }
  if (phase == Phase::kRecovery) {
    const bool is_safe = round.did_advance && queue.lost_bytes() <= round.prior_lost;
    prr.on_ack(round.delivered_bytes, in_flight_bytes(), cc->ssthresh_bytes(), config.mss_bytes, is_safe);
    return;
  }
  // No growth on the ACK that ends a recovery, nor in the window after a reaction to ECN.
  if (round.credited_bytes == 0 || round.is_end_of_recovery || queue.snd_una() <= ecn_point) return;
  AckSample sample;
  sample.now = now;
  sample.acked_bytes = round.credited_bytes;
  sample.in_flight_before_bytes = round.prior_in_flight;
  sample.is_cwnd_limited = is_cwnd_limited();
  if (round.youngest_sent != Time::min() && !round.covers_retransmission)
    sample.rtt = now - round.youngest_sent;
  sample.srtt = rtt.srtt();
  sample.min_rtt = rtt.min_rtt();
  sample.snd_una = queue.snd_una();
  sample.snd_nxt = queue.snd_max();
  cc->on_ack(sample);
}

void LossRecovery::State::restart_timers(const Round& round) {
  if (queue.empty()) {
    reorder_deadline = renege_deadline = kNever;
    return;
  }
  const Time now = round.input.now;
  if (round.did_advance) rto_from = now;  // RFC 6298, 5.3
  if (!queue.head().is_sacked) {
    renege_deadline = kNever;
  } else if (renege_deadline == kNever) {
    // An honest receiver would have acknowledged this; it gets half a round trip to correct itself.
    renege_deadline = now + std::max(rtt.srtt() / 2, Duration(10ms));
  }
}

}  // namespace braid::tcp
