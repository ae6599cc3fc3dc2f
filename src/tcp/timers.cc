// Timers: the handshake's, loss recovery's, persist (RFC 9293, 3.8.6.1), keepalive (3.8.4), user timeout
// (3.8.3, RFC 5482), delayed ACK, TIME-WAIT. None is a list entry: each is a time, and ACKs only move it.
#include <algorithm>

#include "tcp/subflow_impl.h"

namespace braid::tcp {

namespace {
constexpr Duration kMaxPersist = 60s;
}

Time Subflow::Impl::next_deadline() const {
  switch (state) {
    case State::kClosed:
      return kNever;
    case State::kTimeWait:
      return closing_deadline;
    case State::kSynSent:
    case State::kSynReceived:
      return earlier(handshake.deadline, user_timeout_deadline());
    default:
      return std::min({recovery.next_deadline(), bursts.next_deadline(), acks.next_deadline(),
                       persist.deadline, keepalive_deadline(), user_timeout_deadline(), closing_deadline});
  }
}

void Subflow::Impl::advance(Time now) {
  if (state == State::kClosed) return;
  if (closing_deadline <= now) {  // silently, the peer was told all there is
    return close_with(CloseReason::kFinished, now);
  }
  if (handshake.deadline <= now) return on_handshake_deadline(now);
  if (user_timeout_deadline() <= now) return reset_with(CloseReason::kTimedOut, now);
  if (!is_synchronized() || state == State::kTimeWait) return;
  if (acks.on_deadline(now)) ++totals.delayed_acks;
  if (bursts.next_deadline() <= now) bursts.on_deadline();
  if (recovery.next_deadline() <= now) on_recovery_deadline(now);
  if (state != State::kClosed && persist.deadline <= now) on_persist_deadline(now);
  if (state != State::kClosed && keepalive_deadline() <= now) on_keepalive_deadline(now);
}

void Subflow::Impl::on_recovery_deadline(Time now) {
  switch (recovery.on_deadline(now)) {
    case TimeoutAction::kNone:
    case TimeoutAction::kReorder:
      return;
    case TimeoutAction::kTailProbe:
      is_tail_probe_due = true;
      return;
    case TimeoutAction::kRto:
      break;
  }
  is_tail_probe_due = false;
  const uint32_t count = recovery.consecutive_timeouts();
  // A peer that shut its window over data in flight and still answers is not dead (RFC 9293, 3.8.6.1).
  const bool is_shut = window.bytes() == 0 && now - last_received <= 2 * kMaxPersist;
  if (count == 1) first_timeout_at = now;
  if (count > config.retransmission_attempts && now - first_timeout_at >= patience() && !is_shut) {
    return close_with(CloseReason::kTimedOut, now);
  }
  is_stalled = true;
  upper.on_retransmission_timeout(self, count, now);
}

// How long the configured attempts take with the usual back-off. While other subflows carry the data the
// back-off has a low ceiling, which makes for more attempts, not for less patience (RFC 9293, 3.8.3: R2 is a
// time).
Duration Subflow::Impl::patience() const {
  Duration total{0}, interval = recovery.rtt().rto();
  for (uint32_t i = 0; i < config.retransmission_attempts; ++i) {
    interval = std::min(2 * interval, config.rto.max);
    total += interval;
  }
  return total;
}

// Armed when there is something to send, nothing is in flight whose ACK could open the window, and the window
// has no room, or too little to be worth it.
void Subflow::Impl::update_persist(Time now) {
  if (has_outstanding()) return stop_persist();
  const bool is_waiting = snd_nxt < end || (can_send() && window_room() == 0 && upper.has_pending_data(self));
  if (!is_waiting) return stop_persist();
  if (persist.deadline != kNever) return;
  const Duration interval = recovery.current_rto() * (1 << std::min<uint32_t>(persist.backoff, 16));
  persist.deadline = now + std::min(interval, kMaxPersist);
}

void Subflow::Impl::stop_persist() {
  persist.deadline = kNever;
  persist.backoff = 0;
  persist.unanswered = 0;
  persist.unanswered_since = kNever;
}

void Subflow::Impl::on_persist_deadline(Time now) {
  persist.deadline = kNever;  // poll_transmit arms it again
  if (window_room() > 0) {
    persist.may_send_small = true;
    return;
  }
  if (persist.unanswered >= config.retransmission_attempts) return reset_with(CloseReason::kTimedOut, now);
  if (persist.unanswered++ == 0) persist.unanswered_since = now;
  ++persist.backoff;
  ++totals.zero_window_probes;
  is_probe_due = true;
}

Time Subflow::Impl::keepalive_deadline() const {
  if (!keepalive.idle || has_outstanding() || persist.deadline != kNever) return kNever;
  return keepalive.unanswered == 0 ? last_received + *keepalive.idle
                                   : keepalive.last_probe_at + keepalive.interval;
}

void Subflow::Impl::on_keepalive_deadline(Time now) {
  if (keepalive.unanswered >= keepalive.attempts) return reset_with(CloseReason::kTimedOut, now);
  ++keepalive.unanswered;
  keepalive.last_probe_at = now;
  ++totals.keepalive_probes;
  is_probe_due = true;
}

Time Subflow::Impl::user_timeout_deadline() const {
  if (config.user_timeout == Duration(0)) return kNever;
  Time since = kNever;
  if (!is_synchronized()) {
    if (handshake.sent > 0) since = handshake.first_sent_at;
  } else if (has_outstanding()) {
    since = recovery.stalled_since();
  } else {
    since = persist.unanswered_since;
  }
  return since == kNever ? kNever : since + config.user_timeout;
}

}  // namespace braid::tcp
