// A segment arrives: RFC 9293, 3.10.7.4, with RFC 5961 (blind attacks), RFC 7323 (PAWS) and RFC 2883
// (D-SACK). The steps are functions in the order of the document; each returns what it decided.
#include <algorithm>

#include "tcp/subflow_impl.h"

namespace braid::tcp {

namespace {

/// An ACK that is there for its options' sake says nothing of congestion (RFC 8684, 3.4.1).
bool carries_signal(const wire::TcpSegment& segment) {
  return std::ranges::any_of(segment.options.mptcp, [](const wire::MptcpOption& option) {
    return !std::holds_alternative<wire::Dss>(option);
  });
}

}  // namespace

void Subflow::Impl::on_segment(const wire::TcpSegment& segment, Time now) {
  totals.segments_in += segment.segment_count;
  switch (state) {
    case State::kClosed:
      return;
    case State::kSynSent:
      return conclude(input_syn_sent(segment, now), segment, now);
    default:
      return conclude(input_synchronized(segment, now), segment, now);
  }
}

void Subflow::Impl::conclude(Disposition disposition, const wire::TcpSegment& segment, Time now) {
  switch (disposition) {
    case Disposition::kContinue:
    case Disposition::kDrop:
    case Disposition::kClosed:
      return;
    case Disposition::kAcknowledge:
      return acks.request();
    case Disposition::kChallenge:
      if (!challenges.take(now)) return;
      ++totals.challenge_acks;
      return acks.request();
    case Disposition::kRefuse:
      stray_reset = segment.ack;
      return;
    case Disposition::kReset:
      return reset_with(CloseReason::kAborted, now);
  }
}

Disposition Subflow::Impl::input_synchronized(const wire::TcpSegment& segment, Time now) {
  Arrival arrival{.segment = segment,
                  .begin = receiver.unwrap(segment.seq),
                  .ack = unwrap(segment.ack, handshake.initial_seq, snd_una),
                  .window_bytes = uint64_t{segment.window} << handshake.peer_window_scale,
                  .now = now};
  Disposition d = check_simultaneous_open(arrival);
  if (d == Disposition::kContinue) d = check_paws(arrival);
  if (d == Disposition::kContinue) d = check_sequence(arrival);
  if (d == Disposition::kContinue) d = check_rst(arrival);
  if (d == Disposition::kContinue) d = check_syn(arrival);
  if (d == Disposition::kContinue) d = check_ack(arrival);
  if (d == Disposition::kContinue) d = consult_upper(arrival);
  if (d == Disposition::kContinue) d = process_ack(arrival);
  if (d == Disposition::kContinue) d = process_text(arrival);
  if (d == Disposition::kContinue) d = process_fin(arrival);
  return d;
}

// In a simultaneous open the peer's SYN/ACK begins before our window, with the SYN that we have already; what
// counts in it is the ACK (RFC 9293, 3.5, figure 8). A SYN that comes again means that our SYN/ACK was lost.
Disposition Subflow::Impl::check_simultaneous_open(Arrival& arrival) {
  const wire::TcpSegment& segment = arrival.segment;
  if (!segment.flags.syn) return Disposition::kContinue;
  if (state == State::kSynReceived && segment.seq == receiver.initial_seq() && !segment.flags.rst) {
    if (!segment.flags.ack) {
      handshake.is_due = true;
      return Disposition::kDrop;
    }
    if (handshake.is_active) arrival.begin = StreamOffset(1);
  }
  return Disposition::kContinue;
}

// RFC 7323, 5.3. A segment that should have the option and has not is let through: there are middleboxes that
// make segments of their own, and the check is a protection, not a condition.
Disposition Subflow::Impl::check_paws(const Arrival& arrival) {
  const auto& option = arrival.segment.options.timestamps;
  if (!handshake.has_timestamps || !option || arrival.segment.flags.rst) return Disposition::kContinue;
  if (!timestamps.is_old(option->value, arrival.now)) return Disposition::kContinue;
  ++totals.paws_dropped;
  return arrival.segment.payload.empty() ? Disposition::kChallenge : Disposition::kAcknowledge;
}

// First: check sequence number.
Disposition Subflow::Impl::check_sequence(const Arrival& arrival) {
  const wire::TcpSegment& segment = arrival.segment;
  if (arrival.text_end() > receiver.right_edge()) [[unlikely]]
    receiver.on_window_advertised(upper.shared_window(self));
  const uint64_t length = segment.payload.size() + (segment.flags.fin ? 1 : 0);
  if (receiver.is_acceptable(arrival.begin, length)) [[likely]] {
    return Disposition::kContinue;
  }
  ++totals.out_of_window_in;
  if (segment.flags.rst) return Disposition::kDrop;
  if (state == State::kTimeWait && segment.flags.fin) {  // our last ACK was lost
    closing_deadline = arrival.now + config.time_wait;
  }
  const StreamOffset text_end = arrival.text_end();
  if (!segment.payload.empty() && text_end <= receiver.rcv_nxt() && arrival.begin < text_end) {
    totals.duplicate_bytes_in += segment.payload.size();
    receiver.on_duplicate({arrival.begin, text_end});
    return Disposition::kAcknowledge;
  }
  // Without text it may be part of a loop of ACKs, so its answers are limited.
  return length > 0 ? Disposition::kAcknowledge : Disposition::kChallenge;
}

// Second: check the RST bit. RFC 5961, 3.2: only the very next sequence number resets.
Disposition Subflow::Impl::check_rst(const Arrival& arrival) {
  if (!arrival.segment.flags.rst) return Disposition::kContinue;
  if (arrival.begin != receiver.rcv_nxt()) {
    ++totals.bad_resets;
    return Disposition::kChallenge;
  }
  upper.on_segment(self, arrival.segment, arrival.window_bytes, arrival.now);
  if (state == State::kClosed) return Disposition::kClosed;
  const bool is_refusal = state == State::kSynReceived && handshake.is_active;
  const bool is_over = (state == State::kClosing || state == State::kLastAck) && is_our_fin_acked();
  close_with(is_refusal ? CloseReason::kRefused
             : is_over  ? CloseReason::kFinished
                        : CloseReason::kPeerReset,
             arrival.now);
  return Disposition::kClosed;
}

// Fourth: check the SYN bit. RFC 5961, 4.2.
Disposition Subflow::Impl::check_syn(const Arrival& arrival) {
  const wire::TcpSegment& segment = arrival.segment;
  if (!segment.flags.syn) return Disposition::kContinue;
  const bool is_second_half_of_simultaneous_open =
      state == State::kSynReceived && handshake.is_active && segment.flags.ack &&
      segment.seq == receiver.initial_seq() && answers_syn(arrival.ack);
  return is_second_half_of_simultaneous_open ? Disposition::kContinue : Disposition::kChallenge;
}

// Fifth: check the ACK field. RFC 5961, 5.2 bounds it from below.
Disposition Subflow::Impl::check_ack(const Arrival& arrival) {
  if (!arrival.segment.flags.ack) return Disposition::kDrop;
  if (state == State::kSynReceived) {
    const bool is_answer = handshake.is_active ? answers_syn(arrival.ack)
                                               : arrival.ack >= StreamOffset(1) && arrival.ack <= snd_nxt;
    return is_answer && handshake.sent > 0 ? Disposition::kContinue : Disposition::kRefuse;
  }
  if (arrival.ack >= snd_una) {
    return arrival.ack <= snd_nxt ? Disposition::kContinue : Disposition::kChallenge;
  }
  return snd_una - arrival.ack <= window.max_bytes() ? Disposition::kContinue : Disposition::kChallenge;
}

Disposition Subflow::Impl::consult_upper(const Arrival& arrival) {
  if (state == State::kTimeWait) return Disposition::kContinue;
  const SegmentVerdict verdict = upper.on_segment(self, arrival.segment, arrival.window_bytes, arrival.now);
  if (state == State::kClosed) return Disposition::kClosed;
  switch (verdict) {
    case SegmentVerdict::kAccept:
      break;
    case SegmentVerdict::kDrop:
      return Disposition::kDrop;
    case SegmentVerdict::kReset:
      return Disposition::kReset;
  }
  on_heard(arrival.now);
  update_timestamp(arrival);
  return Disposition::kContinue;
}

void Subflow::Impl::on_heard(Time now) {
  last_received = now;
  keepalive.unanswered = 0;
  persist.unanswered = 0;
  persist.unanswered_since = kNever;
}

// RFC 7323, 4.3, rule 2: only from a segment that spans the last ACK we sent.
void Subflow::Impl::update_timestamp(const Arrival& arrival) {
  const auto& option = arrival.segment.options.timestamps;
  if (handshake.has_timestamps && option && arrival.begin <= last_ack_sent) {
    timestamps.update_recent(option->value, arrival.now);
  }
}

Disposition Subflow::Impl::process_ack(const Arrival& arrival) {
  if (state == State::kTimeWait) {
    if (arrival.segment.flags.fin) closing_deadline = arrival.now + config.time_wait;
    return Disposition::kContinue;
  }
  if (state == State::kSynReceived) {
    window.start(arrival.window_bytes, arrival.begin, arrival.ack);
    on_handshake_rtt(arrival.segment.options.timestamps, arrival.now);
    if (handshake.is_active) on_syn_text_answered(arrival.ack, arrival.now);
    if (state != State::kClosed) become_established(arrival.now);
    if (state == State::kClosed) return Disposition::kClosed;
    // With Fast Open data may have gone before this.
  }
  if (arrival.ack < snd_una) return Disposition::kContinue;
  const bool is_window_changed = window.update(arrival.window_bytes, arrival.begin, arrival.ack);
  const auto& sack = arrival.segment.options.sack;
  const bool has_text = !arrival.segment.payload.empty();
  if (arrival.ack == snd_una && sack.empty() && (has_text || is_window_changed || snd_una == snd_nxt)) {
    return Disposition::kContinue;  // it says nothing of what we sent
  }
  AckInput input;
  input.now = arrival.now;
  input.ack = arrival.ack;
  if (handshake.has_sack) {
    for (const wire::SackBlock& block : sack) {
      const ByteRange range{unwrap(block.begin, handshake.initial_seq, arrival.ack),
                            unwrap(block.end, handshake.initial_seq, arrival.ack)};
      if (range.begin < range.end && range.end <= snd_nxt) input.sack.push_back(range);
    }
  }
  if (handshake.has_timestamps && arrival.ack > snd_una && arrival.segment.options.timestamps) {
    input.timestamp_rtt = timestamps.round_trip(arrival.segment.options.timestamps->echo, arrival.now);
  }
  input.is_window_update = is_window_changed || carries_signal(arrival.segment);
  input.has_payload = has_text;
  const AckOutcome outcome = recovery.on_ack(input);
  bursts.on_ack(outcome.newly_acked_bytes, burst_window());
  snd_una = recovery.snd_una();
  return on_ack_outcome(outcome, arrival.now);
}

Disposition Subflow::Impl::on_ack_outcome(const AckOutcome& outcome, Time now) {
  if (is_stalled && outcome.newly_acked_bytes > 0) {
    is_stalled = false;
    upper.on_path_recovered(self, now);
    if (state == State::kClosed) return Disposition::kClosed;
  }
  if (!outcome.did_advance) return Disposition::kContinue;
  // The FIN's octet is not the upper's.
  upper.on_acked(self, std::min(snd_una, end), now);
  if (state == State::kClosed) return Disposition::kClosed;
  return is_our_fin_acked() ? on_our_fin_acked(now) : Disposition::kContinue;
}

Disposition Subflow::Impl::on_our_fin_acked(Time now) {
  switch (state) {
    case State::kFinWait1:
      state = State::kFinWait2;
      if (is_orphaned) closing_deadline = now + config.fin_wait_2;
      return Disposition::kContinue;
    case State::kClosing:
      enter_time_wait(now);
      return Disposition::kContinue;
    case State::kLastAck:
      close_with(CloseReason::kFinished, now);
      return Disposition::kClosed;
    default:
      return Disposition::kContinue;
  }
}

// Seventh: process the segment text.
Disposition Subflow::Impl::process_text(const Arrival& arrival) {
  if (arrival.segment.payload.empty() || !is_receiving()) return Disposition::kContinue;
  const StreamOffset rcv_nxt = receiver.rcv_nxt();
  StreamOffset begin = arrival.begin;
  Slice text = arrival.segment.payload;
  if (begin < rcv_nxt) {
    const uint64_t old = std::min<uint64_t>(rcv_nxt - begin, text.size());
    receiver.on_duplicate({begin, begin + old});
    totals.duplicate_bytes_in += old;
    acks.request();
    text.remove_prefix(old);
    begin += old;
  }
  StreamOffset limit = receiver.right_edge();
  if (receiver.fin_at()) limit = std::min(limit, *receiver.fin_at());
  const uint64_t room = limit > begin ? limit - begin : 0;
  if (text.size() > room) {
    text.truncate(room);
    acks.request();
  }
  if (text.empty()) return Disposition::kContinue;
  totals.bytes_in += text.size();

  if (begin > rcv_nxt) {
    ++totals.out_of_order_in;
    const auto insertion = receiver.hold(begin, std::move(text));
    if (insertion.duplicate) {
      receiver.on_duplicate(*insertion.duplicate);
      totals.duplicate_bytes_in += insertion.duplicate->size();
    }
    if (handshake.has_sack) {
      acks.request();
    } else {
      acks.request_duplicates(arrival.segment.segment_count);
    }
    return Disposition::kContinue;
  }
  if (receiver.has_hole()) {
    acks.on_hole_filled();
  } else {
    acks.on_text(arrival.segment.segment_count, arrival.now);
  }
  return deliver(std::move(text), arrival.now);
}

// Text at rcv_nxt, and what it makes in order. Of octets that were held already the first copy stays.
Disposition Subflow::Impl::deliver(Slice text, Time now) {
  if (receiver.queue().empty()) [[likely]] {
    const StreamOffset offset = receiver.rcv_nxt();
    receiver.advance(text.size());
    upper.on_data(self, offset, std::move(text), now);
    return state == State::kClosed ? Disposition::kClosed : Disposition::kContinue;
  }
  while (!text.empty()) {
    const StreamOffset offset = receiver.rcv_nxt();
    const uint64_t missing = receiver.missing(text.size());
    receiver.advance(missing);
    upper.on_data(self, offset, text.sub(0, missing), now);
    if (state == State::kClosed) return Disposition::kClosed;
    while (auto held = receiver.pop_in_order()) {
      upper.on_data(self, held->begin, std::move(held->slice), now);
      if (state == State::kClosed) return Disposition::kClosed;
    }
    const uint64_t covered = std::min<uint64_t>(receiver.rcv_nxt() - offset, text.size());
    if (covered > missing) {
      receiver.on_duplicate({offset + missing, offset + covered});
      totals.duplicate_bytes_in += covered - missing;
    }
    text.remove_prefix(covered);
  }
  return Disposition::kContinue;
}

// Eighth: check the FIN bit. A FIN beyond a hole or beyond what was let in waits, or comes again.
Disposition Subflow::Impl::process_fin(const Arrival& arrival) {
  if (arrival.segment.flags.fin && arrival.text_end() <= receiver.right_edge() &&
      arrival.text_end() >= receiver.rcv_nxt() && is_receiving()) {
    receiver.on_fin(arrival.text_end());
    acks.request();
  }
  return receiver.consume_fin() ? on_peer_fin(arrival.now) : Disposition::kContinue;
}

Disposition Subflow::Impl::on_peer_fin(Time now) {
  acks.request();
  const State before = state;
  if (state == State::kEstablished) state = State::kCloseWait;
  if (state == State::kFinWait1) state = State::kClosing;
  upper.on_fin(self, now);
  if (state == State::kClosed) return Disposition::kClosed;
  if (before == State::kFinWait2) enter_time_wait(now);
  return Disposition::kContinue;
}

}  // namespace braid::tcp
