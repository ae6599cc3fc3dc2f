// DATA_FIN before FIN (RFC 8684, 3.3.3), MP_FASTCLOSE (3.5), MP_FAIL (3.7), and how a connection ends.
#include <algorithm>

#include "mptcp/connection_impl.h"

namespace braid::mptcp {

namespace {

constexpr uint32_t kMostFinAttempts = 12;
constexpr uint32_t kLargestFinBackoff = 6;
// RFC 8684, 3.5: how often MP_FASTCLOSE goes on an ACK.
constexpr uint8_t kMostFastcloses = 3;

}  // namespace

void Connection::Impl::shut_down_send() {
  if (closing.is_send_shut) return;
  closing.is_send_shut = true;
  send_deferred_syn();
  is_settling_due = true;
  env.wake(self);
}

void Connection::Impl::close() {
  if (closing.is_app_closed) return;
  closing.is_app_closed = true;
  // Unread data are lost: the peer must learn that (RFC 9293, 3.10.4; RFC 2525, 2.17). So must it if there is
  // nothing yet to close in an orderly way.
  const bool was_opened = was_established || fast_open.is_accepted;
  if (receiving.data.readable_bytes() > 0 || receiving.data.out_of_order_bytes() > 0 || !was_opened)
    return abort();
  closing.progress_at = now;
  timer(ConnectionTimer::kLinger) = now + config.linger;
  for (const auto& subflow : subflows) subflow->orphan(now);
  shut_down_send();
}

/// The application is gone, its data are not: they may take as long as they move.
void Connection::Impl::on_linger_timer() {
  if (now - closing.progress_at >= config.linger) return fail(ConnectionError::kTimedOut);
  timer(ConnectionTimer::kLinger) = closing.progress_at + config.linger;
}

void Connection::Impl::abort() {
  closing.is_app_closed = closing.is_send_shut = true;
  if (!closing.is_over) fail(ConnectionError::kAborted);
  env.wake(self);
}

/// What could not be done inside a subflow's call. Runs after every entry point that made it due.
void Connection::Impl::settle() {
  is_settling_due = false;
  if (closing.is_over) return;
  if (closing.is_refusing_due) return fail(ConnectionError::kAborted);
  for (size_t i = 0; i < subflows.size(); ++i) {
    MptcpSubflow& subflow = *subflows[i];
    if (subflow.is_closed) continue;
    if (subflow.reset_reason.has_value()) {
      reset_subflow(subflow, *subflow.reset_reason);
    } else if (subflow.is_close_due) {
      // A path that answers is closed in order; one that does not would only linger.
      subflow.is_stalled() || !subflow.is_synchronized() ? subflow.abort(now) : subflow.close(now);
      subflow.is_close_due = false;
      is_another_round_due = true;
    }
  }
  if (!closing.is_send_shut || !is_everything_granted()) return;
  if (negotiation.is_fallback()) {
    MptcpSubflow* only = initial();
    // What a SYN carries may be all there is to send, but there is nothing to close yet.
    if (closing.are_subflows_closing || (only != nullptr && only->state() == tcp::State::kSynSent)) return;
    closing.are_subflows_closing = true;
    if (only != nullptr && !only->is_closed) only->close(now);
    is_another_round_due = true;
    return;
  }
  if (!negotiation.is_multipath()) return;
  if (!closing.is_fin_sent) send_data_fin();
  if (!is_done_both_ways() || closing.are_subflows_closing) return;
  closing.are_subflows_closing = true;
  for (size_t i = 0; i < subflows.size(); ++i) {
    MptcpSubflow& subflow = *subflows[i];
    if (subflow.is_closed) continue;
    // Nothing can come any more: a FIN that stays away is not waited for without end.
    subflow.orphan(now);
    subflow.is_joined() && !subflow.is_stalled() ? subflow.close(now) : subflow.abort(now);
  }
  is_another_round_due = true;
  if (subflows.empty()) raise_over(ConnectionEvent::kClosed);
}

/// By itself, since all data are under way already. All subflows carry it when it is repeated.
void Connection::Impl::send_data_fin() {
  MptcpSubflow* subflow = best_subflow(false);
  if (subflow == nullptr) return;
  closing.is_fin_sent = closing.is_fin_due = true;
  timer(ConnectionTimer::kDataFin) = now + data_rto();
  ask_for_bare_ack(*subflow);
}

void Connection::Impl::on_data_fin_timer() {
  if (closing.is_fin_acked || !negotiation.is_multipath()) return;
  if (++closing.fin_attempts > kMostFinAttempts) return fail(ConnectionError::kTimedOut);
  const Duration interval = data_rto() * (int64_t{1} << std::min(closing.fin_attempts, kLargestFinBackoff));
  timer(ConnectionTimer::kDataFin) = now + interval;
  // Data that are still under way come first; the peer could not act on the DATA_FIN anyway.
  if (!is_everything_acked()) {
    closing.fin_attempts = 0;
    return;
  }
  if (MptcpSubflow* only = sole_subflow(); only != nullptr && closing.fin_attempts > 1) {
    if (becomes_plain_like_peer(*only)) return;
    closing.is_probe_due = true;
  }
  closing.is_fin_due = true;
  // Alternating over the subflows: the best one may be the one that loses it.
  MptcpSubflow* subflow = best_subflow(false);
  if (closing.fin_attempts > 1 && !subflows.empty()) {
    MptcpSubflow& other = *subflows[closing.fin_attempts % subflows.size()];
    if (!other.is_closed && other.is_joined() && other.is_synchronized()) subflow = &other;
  }
  if (subflow != nullptr) ask_for_bare_ack(*subflow);
}

void Connection::Impl::on_data_fin_acked() {
  closing.is_fin_acked = true;
  closing.is_fin_due = false;
  timer(ConnectionTimer::kDataFin) = kNever;
  is_settling_due = true;
}

/// A subflow's FIN: the stream's only in plain TCP.
void Connection::Impl::on_fin(MptcpSubflow& subflow) {
  const StreamOffset text_end(subflow.rcv_nxt().value() - 1);
  // Nothing about it says that it is not the stream's.
  if (negotiation.is_multipath() && subflow.has_bare_fin && !receiving.fin.has_value() &&
      is_linear(subflow, text_end))
    become_plain(subflow, FallbackReason::kDataWithoutMapping, text_end);
  if (negotiation.is_fallback()) {
    receiving.fin = receiving.data.data_rcv_nxt();
    return consume_fin();
  }
  subflow.is_close_due = true;
  is_settling_due = true;
}

tcp::SegmentVerdict Connection::Impl::on_fastclose(MptcpSubflow& subflow, const wire::MpFastclose& option,
                                                   const wire::TcpSegment& segment) {
  if (!negotiation.is_multipath() || option.receiver_key != negotiation.local.key)
    return tcp::SegmentVerdict::kAccept;
  counters().add(Counter::kMpFastcloseRx);
  fail(ConnectionError::kReset, &subflow);
  // The form on an ACK is answered by RSTs on all subflows (RFC 8684, 3.5).
  return segment.flags.rst ? tcp::SegmentVerdict::kAccept : tcp::SegmentVerdict::kReset;
}

tcp::SegmentVerdict Connection::Impl::on_fail_option(MptcpSubflow& subflow, const wire::MpFail& option) {
  counters().add(Counter::kMpFailRx);
  const bool is_ours = option.data_seq - negotiation.local.idsn <= sending.next.value();
  if (!is_ours) return tcp::SegmentVerdict::kAccept;
  if (!can_fall_back_in_mid_stream(subflow) || receiving.data.out_of_order_bytes() > 0) {
    subflow.reset_reason = wire::ResetReason::kMiddleboxInterference;
    return tcp::SegmentVerdict::kReset;
  }
  subflow.fail_due = negotiation.remote.idsn + receiving.data.data_rcv_nxt().value();
  ask_for_ack(subflow);
  become_plain(subflow, FallbackReason::kPeerSentMpFail, subflow.rcv_nxt());
  return tcp::SegmentVerdict::kAccept;
}

/// The connection is over, not orderly. `except`: the subflow in whose call this happens; it ends by itself.
void Connection::Impl::fail(ConnectionError why, const MptcpSubflow* except) {
  if (closing.is_over) return;
  send_deferred_syn();  // it never leaves: a subflow that did not begin could not end
  error = why;
  drop_subflows(except, why == ConnectionError::kAborted || why == ConnectionError::kTimedOut);
  raise_over(ConnectionEvent::kFailed);
}

void Connection::Impl::drop_subflows(const MptcpSubflow* except, bool with_fastclose) {
  closing.are_subflows_closing = true;
  const bool is_told = with_fastclose && negotiation.is_multipath();
  const bool is_on_ack = negotiation.version == Version::kV0 || config.fastclose == FastcloseForm::kAck;
  MptcpSubflow* teller = is_told && is_on_ack ? best_subflow(false) : nullptr;
  if (teller == except) teller = nullptr;
  for (size_t i = 0; i < subflows.size(); ++i) {
    MptcpSubflow& subflow = *subflows[i];
    if (subflow.is_closed || &subflow == except || &subflow == teller) continue;
    subflow.is_fastclose = is_told && !is_on_ack && subflow.is_joined();
    subflow.abort(now);
  }
  if (teller != nullptr) send_fastclose(*teller);
  is_another_round_due = true;
}

void Connection::Impl::send_fastclose(MptcpSubflow& subflow) {
  subflow.is_fastclose = true;
  subflow.fastcloses_left = kMostFastcloses;
  advance_fastclose(subflow);
}

/// Once more, or the RST without an answer.
void Connection::Impl::advance_fastclose(MptcpSubflow& subflow) {
  subflow.fastclose_at = kNever;
  is_another_round_due = true;
  if (subflow.is_closed) return;
  if (subflow.fastcloses_left == 0) return subflow.abort(now);
  --subflow.fastcloses_left;
  subflow.fastclose_at = now + subflow.recovery().rtt().rto();
  ask_for_bare_ack(subflow);
}

bool Connection::Impl::is_finished() const {
  return subflows.empty() &&
         (closing.is_over || timers[static_cast<size_t>(ConnectionTimer::kSurvive)] == kNever);
}

}  // namespace braid::mptcp
