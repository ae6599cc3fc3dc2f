// Opening: active, passive and simultaneous (RFC 9293, 3.5), and what SYNs negotiate.
#include <algorithm>

#include "base/check.h"
#include "tcp/subflow_impl.h"

namespace braid::tcp {

namespace {

/// RFC 9293, 3.7.1: what a peer without an MSS option takes.
constexpr uint16_t kDefaultMssV4 = 536, kDefaultMssV6 = 1220;
/// Less than this leaves no room for payload beside a full set of options.
constexpr uint16_t kMinMss = 64;
/// RFC 7323, 2.3.
constexpr uint8_t kMaxWindowScale = 14;

}  // namespace

void Subflow::Impl::connect(Time now) {
  if (state != State::kClosed || handshake.sent > 0) return;
  state = State::kSynSent;
  handshake.is_active = true;
  handshake.is_due = true;
  last_received = now;
}

void Subflow::Impl::accept(const wire::TcpSegment& syn, Time now, SynText text) {
  if (state != State::kClosed || handshake.sent > 0) return;
  totals.segments_in += syn.segment_count;
  last_received = now;
  state = State::kSynReceived;
  learn_from_syn(syn, now);
  window.start(syn.window, StreamOffset(0), StreamOffset(0));
  switch (upper.on_segment(self, syn, syn.window, now)) {
    case SegmentVerdict::kAccept:
      handshake.is_due = state == State::kSynReceived;
      break;
    case SegmentVerdict::kDrop:
      return close_with(CloseReason::kAborted, now);
    case SegmentVerdict::kReset:
      return reset_with(CloseReason::kAborted, now);
  }
  if (text == SynText::kTake && state == State::kSynReceived) take_syn_text(syn, now);
}

// RFC 7413, 4.2.2: the SYN/ACK acknowledges what is delivered here. No window was advertised yet, but what
// the first one will be is known.
void Subflow::Impl::take_syn_text(const wire::TcpSegment& syn, Time now) {
  Slice text = syn.payload;
  const uint64_t room = upper.receive_window(self);
  if (text.size() > room) text.truncate(room);
  if (text.empty()) return;
  handshake.syn_text_taken = static_cast<uint32_t>(text.size());
  recovery.set_sack_enabled(handshake.has_sack);
  totals.bytes_in += text.size();
  receiver.advance(text.size());
  upper.on_data(self, StreamOffset(1), std::move(text), now);
}

void Subflow::Impl::accept_answered(const wire::TcpSegment& syn, Time now) {
  accept(syn, now, SynText::kIgnore);
  if (state != State::kSynReceived) return;
  handshake.is_due = false;
  handshake.has_round_trip = false;
  handshake.sent = 1;
  handshake.first_sent_at = handshake.last_sent_at = now;
  handshake.deadline = now + config.rto.initial;
  // The field of a SYN/ACK is not scaled.
  last_window_field = static_cast<uint16_t>(std::min<uint64_t>(upper.receive_window(self), UINT16_MAX));
  receiver.on_window_advertised(last_window_field);
}

void Subflow::Impl::learn_from_syn(const wire::TcpSegment& syn, Time now) {
  receiver.start(syn.seq);
  if (handshake.is_active) receiver.on_window_advertised(last_window_field);  // in our SYN
  last_ack_sent = receiver.rcv_nxt();
  const wire::TcpOptions& options = syn.options;
  const uint16_t default_mss = tuple.local.address.is_v4() ? kDefaultMssV4 : kDefaultMssV6;
  set_send_mss(std::min(handshake.send_mss, options.mss.value_or(default_mss)));
  handshake.has_window_scale = options.window_scale.has_value();
  handshake.peer_window_scale = std::min(options.window_scale.value_or(0), kMaxWindowScale);
  handshake.has_timestamps = config.use_timestamps && options.timestamps.has_value();
  handshake.has_sack = config.use_sack && options.sack_permitted;
  if (handshake.has_timestamps) timestamps.set_recent(options.timestamps->value, now);
}

void Subflow::Impl::set_send_mss(uint16_t mss_bytes) {
  handshake.send_mss = std::max(mss_bytes, kMinMss);
  recovery.set_mss(mss());
}

void Subflow::Impl::become_established(Time now) {
  state = is_close_requested ? State::kFinWait1 : State::kEstablished;
  handshake.is_due = false;
  handshake.deadline = kNever;
  recovery.set_sack_enabled(handshake.has_sack);
  set_send_mss(handshake.send_mss);
  upper.on_established(self, now);
}

void Subflow::Impl::on_handshake_rtt(std::optional<wire::Timestamps> echoed, Time now) {
  const std::optional<Duration> by_timestamp =
      handshake.has_timestamps && echoed ? timestamps.round_trip(echoed->echo, now) : std::nullopt;
  if (!handshake.has_round_trip) return recovery.congestion_control().on_established(now);
  // Karn's rule, unless a timestamp says which SYN it was that was answered.
  if (handshake.sent == 1) {
    recovery.on_handshake_rtt(now - handshake.last_sent_at, now);
    return;
  }
  if (by_timestamp) {
    recovery.on_handshake_rtt(*by_timestamp, now);
  } else {
    recovery.congestion_control().on_established(now);
  }
  // A SYN or SYN/ACK was lost: the initial window is one segment (RFC 5681, 3.1), unless it turns out that
  // the first one was answered after all, only late. It says nothing about the capacity: ssthresh stays high.
  const bool was_spurious =
      by_timestamp && *by_timestamp > now - handshake.last_sent_at + TimestampClock::kTick;
  if (!was_spurious) {
    recovery.congestion_control().on_timeout({.now = now, .in_flight_bytes = recovery.cwnd_bytes()}, false);
  }
}

void Subflow::Impl::on_handshake_deadline(Time now) {
  handshake.deadline = kNever;
  const uint32_t attempts = handshake.is_active ? config.syn_attempts : config.syn_ack_attempts;
  if (++handshake.timeouts >= attempts) return close_with(CloseReason::kTimedOut, now);
  handshake.is_due = true;
}

// RFC 9293, 3.10.7.3.
Disposition Subflow::Impl::input_syn_sent(const wire::TcpSegment& segment, Time now) {
  const bool has_ack = segment.flags.ack;
  const StreamOffset ack = unwrap(segment.ack, handshake.initial_seq, snd_una);
  if (has_ack && (handshake.sent == 0 || !answers_syn(ack))) {
    return segment.flags.rst ? Disposition::kDrop : Disposition::kRefuse;
  }
  if (segment.flags.rst) {
    if (!has_ack) return Disposition::kDrop;
    upper.on_segment(self, segment, segment.window, now);
    close_with(CloseReason::kRefused, now);
    return Disposition::kClosed;
  }
  if (!segment.flags.syn) return Disposition::kDrop;

  switch (upper.on_segment(self, segment, segment.window, now)) {
    case SegmentVerdict::kAccept:
      break;
    case SegmentVerdict::kDrop:
      return Disposition::kDrop;
    case SegmentVerdict::kReset:
      // The peer believes in a connection, so the RST has to be one that it accepts.
      learn_from_syn(segment, now);
      if (state != State::kClosed) state = State::kSynReceived;
      return Disposition::kReset;
  }
  if (state == State::kClosed) return Disposition::kClosed;
  on_heard(now);
  learn_from_syn(segment, now);
  if (!has_ack) {  // simultaneous open: our SYN goes again, with an ACK
    window.start(segment.window, StreamOffset(0), StreamOffset(0));
    state = State::kSynReceived;
    handshake.is_due = true;
    return Disposition::kContinue;
  }
  window.start(segment.window, StreamOffset(0), ack);
  on_handshake_rtt(segment.options.timestamps, now);
  acks.request();
  on_syn_text_answered(ack, now);
  if (state == State::kClosed) return Disposition::kClosed;
  become_established(now);
  if (state == State::kClosed) return Disposition::kClosed;
  // Text or a FIN on the SYN/ACK is as good as any other.
  const Arrival rest{
      .segment = segment, .begin = StreamOffset(1), .ack = ack, .window_bytes = segment.window, .now = now};
  if (const Disposition d = process_text(rest); d != Disposition::kContinue) return d;
  return process_fin(rest);
}

// The rest is new data, and goes at once.
void Subflow::Impl::on_syn_text_answered(StreamOffset ack, Time now) {
  if (ack <= StreamOffset(1)) return;
  handshake.syn_text_taken = static_cast<uint32_t>(ack - StreamOffset(1));
  recovery.begin_at(ack);
  snd_una = snd_nxt = ack;
  upper.on_acked(self, ack, now);
}

// Only the first SYN has text: where a network drops such SYNs, or a peer does, the next one gets through
// (RFC 7413, 4.1.3).
void Subflow::Impl::add_syn_text(wire::OutgoingSegment& out, Time now) {
  const auto option_bytes = static_cast<uint32_t>(out.options.encoded_size());
  if (config.mss <= option_bytes) return;
  const uint32_t room = config.mss - option_bytes;
  const uint32_t granted = upper.poll_syn_data(self, room, option_bytes, now);
  BRAID_CHECK(granted <= room);
  if (granted == 0) return;
  end += granted;
  handshake.syn_text = granted;
  SegmentPayload payload;
  upper.fetch_payload(self, StreamOffset(1), granted, payload);
  // Of many small pieces only the first fit; the others follow when the SYN is answered.
  handshake.syn_text = payload.bytes;
  totals.bytes_out += payload.bytes;
  out.flags.psh = payload.should_push;
  out.payload = std::move(payload.slices);
}

void Subflow::Impl::send_syn(SegmentSink& sink, Time now) {
  handshake.is_due = false;
  const bool is_syn_ack = state == State::kSynReceived;
  wire::OutgoingSegment out;
  out.tuple = tuple;
  out.seq = handshake.initial_seq;
  out.flags.syn = true;
  out.flags.ack = is_syn_ack;
  out.traffic_class = config.traffic_class;
  out.hop_limit = config.hop_limit;
  out.options.mss = config.mss;
  if (!is_syn_ack || handshake.has_window_scale) out.options.window_scale = config.window_scale;
  out.options.sack_permitted = is_syn_ack ? handshake.has_sack : config.use_sack;
  if (is_syn_ack ? handshake.has_timestamps : config.use_timestamps) {
    out.options.timestamps = wire::Timestamps{timestamps.value(now), is_syn_ack ? timestamps.recent() : 0};
  }
  const SegmentContext context{.kind = is_syn_ack ? SegmentKind::kSynAck : SegmentKind::kSyn,
                               .offset = StreamOffset(0),
                               .attempt = handshake.sent};
  const size_t size = out.options.encoded_size();
  upper.add_options(self, context, out.options, wire::kMaxTcpOptionBytes - size, now);
  BRAID_CHECK(out.options.encoded_size() <= wire::kMaxTcpOptionBytes);

  if (handshake.sent == 0) {
    handshake.first_sent_at = now;
    if (!is_syn_ack) add_syn_text(out, now);
  }
  handshake.last_sent_at = now;
  const uint32_t backoff = std::min<uint32_t>(handshake.timeouts, 20);
  ++handshake.sent;
  handshake.deadline = now + std::min<Duration>(config.rto.initial * (1 << backoff), config.rto.max);
  finish_segment(sink, out);
}

}  // namespace braid::tcp
