// What goes out, in the order of Subflow::poll_transmit.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "tcp/subflow_impl.h"

namespace braid::tcp {

namespace {

/// A timestamps option, padded.
constexpr size_t kTimestampBytes = 12;
/// A SACK option of n blocks, padded.
constexpr size_t sack_option_bytes(size_t blocks) { return 4 + 8 * blocks; }
/// Over how many data segments the largest set of options is remembered.
constexpr uint8_t kOptionPeriod = 32;

}  // namespace

void Subflow::Impl::poll_transmit(SegmentSink& sink, Time now) {
  if (stray_reset || is_reset_due) [[unlikely]] {
    send_resets(sink);
  }
  if (state == State::kClosed) return;
  if (handshake.is_due) return send_syn(sink, now);
  if (state == State::kSynSent) return;
  if (is_sending()) {
    recovery.before_send(now);
    send_retransmissions(sink, now);
    if (is_tail_probe_due) send_tail_probe(sink, now);
    if (send_new_data(sink, now) == SendLimit::kOther) {
      recovery.on_application_limited();
      send_retransmissions(sink, now);  // F-RTO held them back as long as new data might go (RFC 5682)
    }
    if (state == State::kClosed) return;
    if (is_synchronized()) {
      send_fin(sink, now);
      if (state == State::kClosed) return;
      update_persist(now);
    }
  }
  if (is_probe_due) {
    is_probe_due = false;
    send_ack(sink, wire_seq(snd_una - 1), now);
  }
  while (acks.is_due() || is_bare_ack_due) {
    is_bare_ack_due = false;
    send_ack(sink, wire_snd_nxt(), now);
  }
}

void Subflow::Impl::send_resets(SegmentSink& sink) {
  if (stray_reset) {
    wire::OutgoingSegment out;
    out.tuple = tuple;
    out.seq = *std::exchange(stray_reset, std::nullopt);
    out.flags.rst = true;
    out.traffic_class = config.traffic_class;
    out.hop_limit = config.hop_limit;
    ++totals.segments_out;
    sink.send(out);
  }
  if (!std::exchange(is_reset_due, false)) return;
  wire::OutgoingSegment out;
  out.tuple = tuple;
  out.seq = wire_snd_nxt();
  out.ack = receiver.wire_rcv_nxt();
  out.flags.rst = out.flags.ack = true;
  out.traffic_class = config.traffic_class;
  out.hop_limit = config.hop_limit;
  const SegmentContext context{.kind = SegmentKind::kRst, .offset = snd_nxt};
  upper.add_options(self, context, out.options, wire::kMaxTcpOptionBytes, last_received);
  BRAID_CHECK(out.options.encoded_size() <= wire::kMaxTcpOptionBytes);
  ++totals.segments_out;
  sink.send(out);
}

// What the peer let in once may be sent again, also when its window has become smaller since.
void Subflow::Impl::send_retransmissions(SegmentSink& sink, Time now) {
  while (state != State::kClosed) {
    if (!recovery.poll_retransmission(1)) return;
    const uint64_t allowance = recovery.allowance_bytes();
    if (allowance == 0) return;
    const uint32_t full = mss();
    uint64_t limit = std::min<uint64_t>(allowance, std::max(config.max_super_segment, full));
    limit = limit < full ? full : limit - limit % full;
    const std::optional<ByteRange> range = recovery.poll_retransmission(limit);
    // Not even one segment's worth: wait for more, unless nothing is under way that could bring it.
    if (range->size() > allowance && recovery.in_flight_bytes() > 0) return;
    const ByteRange sent = send_data(sink, range->begin, range->size(), now);
    recovery.on_retransmitted(sent, now);
  }
}

// RFC 8985, 7.3: new data if there are any and the peer has room, whatever cwnd says.
void Subflow::Impl::send_tail_probe(SegmentSink& sink, Time now) {
  is_tail_probe_due = false;
  const uint32_t full = mss();
  if (snd_nxt < end || can_send()) {
    const uint64_t room = std::min<uint64_t>(window_room(), full);
    const uint64_t unsent = snd_nxt < end ? end - snd_nxt : grant(room, full, now);
    if (state == State::kClosed) return;
    if (unsent > 0 && room > 0) {
      const ByteRange sent = send_data(sink, snd_nxt, std::min(unsent, room), now);
      note_sent(sent, now);
      return;
    }
  }
  if (const auto range = recovery.poll_tail_probe()) {
    const uint64_t size = std::min<uint64_t>(range->size(), full);
    const ByteRange sent = send_data(sink, range->end - size, size, now);
    recovery.on_retransmitted(sent, now);
  }
}

Subflow::Impl::SendLimit Subflow::Impl::send_new_data(SegmentSink& sink, Time now) {
  while (state != State::kClosed && (snd_nxt < end || can_send())) {
    uint64_t allowance = recovery.allowance_bytes();
    if (allowance > 0) allowance = std::min(allowance, bursts.allowance_bytes(now, burst_window()));
    if (allowance == 0) return SendLimit::kCongestion;
    const uint32_t full = max_payload();
    const uint64_t room = std::min(allowance, window_room());
    uint64_t unsent = end - snd_nxt;
    if (unsent == 0) {
      // A part of a segment that cwnd leaves is not worth asking for: an ACK will bring the rest.
      if (room < full && room == allowance && has_outstanding()) return SendLimit::kCongestion;
      const uint64_t limit = std::min<uint64_t>(room, std::max(config.max_super_segment, full));
      unsent = grant(limit < full ? limit : limit - limit % full, full, now);
    }
    if (unsent == 0 || room == 0) break;
    const uint64_t size = next_size(unsent, room, full);
    if (size < full && !persist.may_send_small) {
      // Silly-window avoidance, RFC 9293, 3.8.6.2.1.
      const bool is_window_small = window_room() < full;
      const bool is_all =
          size == unsent && !(is_window_small && size == room && upper.has_pending_data(self));
      if (!is_all && is_window_small && size * 2 < window.max_bytes()) break;
      if (!is_all && !is_window_small && has_outstanding()) return SendLimit::kCongestion;
    }
    const ByteRange sent = send_data(sink, snd_nxt, size, now);
    note_sent(sent, now);
    persist.may_send_small = false;
  }
  return SendLimit::kOther;
}

BurstLimit::Window Subflow::Impl::burst_window() const {
  return {.cwnd_bytes = recovery.cwnd_bytes(),
          .srtt = recovery.rtt().srtt(),
          .mss_bytes = mss(),
          .is_slow_start = recovery.congestion_control().in_slow_start()};
}

/// Asks the upper for new data; they are committed to this subflow then.
uint64_t Subflow::Impl::grant(uint64_t room, uint32_t full, Time now) {
  if (!can_send() || room == 0) return 0;
  const uint32_t max =
      static_cast<uint32_t>(std::min<uint64_t>(room, std::max(full, config.max_super_segment)));
  const uint32_t granted = upper.poll_data(self, max, now);
  if (state == State::kClosed) return 0;
  BRAID_CHECK(granted <= max);
  end += granted;
  return granted;
}

/// Whole segments, if more waits behind them.
uint64_t Subflow::Impl::next_size(uint64_t unsent, uint64_t room, uint32_t full) const {
  const uint64_t size = std::min({unsent, room, uint64_t{std::max(config.max_super_segment, full)}});
  return size == unsent || size < full ? size : size - size % full;
}

void Subflow::Impl::note_sent(ByteRange sent, Time now) {
  recovery.on_sent(sent.size(), now);
  bursts.on_sent(sent.size());
  snd_nxt = sent.end;
}

// A FIN needs no memory at the peer's, so it goes whatever the window says.
void Subflow::Impl::send_fin(SegmentSink& sink, Time now) {
  if (!is_close_requested || is_fin_sent || snd_nxt != end || state == State::kClosed) return;
  const ByteRange sent = send_data(sink, end, 0, now);
  note_sent(sent, now);
}

/// Sends up to `max_bytes` of the stream, FIN included, from `begin`: what one map holds. Returns what went.
ByteRange Subflow::Impl::send_data(SegmentSink& sink, StreamOffset begin, uint64_t max_bytes, Time now) {
  SegmentPayload payload;
  const uint64_t text = begin < end ? std::min(max_bytes, end - begin) : 0;
  if (text > 0) {
    upper.fetch_payload(self, begin, static_cast<uint32_t>(text), payload);
    BRAID_CHECK(payload.bytes > 0 && payload.bytes <= text);
  }
  const StreamOffset text_end = begin + payload.bytes;
  const bool has_fin = is_close_requested && text_end == end;

  wire::OutgoingSegment out;
  start_segment(out, wire_seq(begin), now);
  const size_t own_bytes = handshake.has_timestamps ? kTimestampBytes : 0;
  const SegmentContext context{
      .kind = SegmentKind::kData, .offset = begin, .payload_bytes = payload.bytes, .has_fin = has_fin};
  const size_t sack_bytes = sack_bytes_wanted();
  const uint32_t expected_mss = max_payload();
  upper.add_options(self, context, out.options, wire::kMaxTcpOptionBytes - own_bytes, now);
  size_t option_bytes = out.options.encoded_size();
  BRAID_CHECK(option_bytes <= wire::kMaxTcpOptionBytes);
  if (payload.bytes > 0) note_upper_options(option_bytes - std::min(option_bytes, own_bytes));
  if (sack_bytes > 0) {
    add_sack_blocks(out.options);
    option_bytes = out.options.encoded_size();
  }
  out.mss = static_cast<uint16_t>(std::min<size_t>(
      expected_mss, handshake.send_mss - std::min<size_t>(option_bytes, handshake.send_mss - 1u)));
  out.flags.psh = payload.should_push && payload.bytes > 0;
  out.flags.fin = has_fin;
  out.payload = std::move(payload.slices);
  is_fin_sent = is_fin_sent || has_fin;
  totals.bytes_out += payload.bytes;
  last_sent = now;
  finish_segment(sink, out);
  return {begin, text_end + (has_fin ? 1 : 0)};
}

void Subflow::Impl::send_ack(SegmentSink& sink, Seq32 seq, Time now) {
  wire::OutgoingSegment out;
  start_segment(out, seq, now);
  const size_t own_bytes = handshake.has_timestamps ? kTimestampBytes : 0;
  const size_t sack_bytes = handshake.has_sack && receiver.has_sack_blocks() ? sack_option_bytes(1) : 0;
  const SegmentContext context{.kind = SegmentKind::kAck, .offset = snd_nxt};
  upper.add_options(self, context, out.options, wire::kMaxTcpOptionBytes - own_bytes - sack_bytes, now);
  BRAID_CHECK(out.options.encoded_size() <= wire::kMaxTcpOptionBytes);
  if (sack_bytes > 0) add_sack_blocks(out.options);
  finish_segment(sink, out);
}

void Subflow::Impl::start_segment(wire::OutgoingSegment& out, Seq32 seq, Time now) const {
  out.tuple = tuple;
  out.seq = seq;
  out.flags.ack = true;
  out.traffic_class = config.traffic_class;
  out.hop_limit = config.hop_limit;
  if (handshake.has_timestamps)
    out.options.timestamps = wire::Timestamps{timestamps.value(now), timestamps.recent()};
}

/// As many blocks as there is room for beside what is in already.
void Subflow::Impl::add_sack_blocks(wire::TcpOptions& options) {
  const size_t used = options.encoded_size();
  if (used + sack_option_bytes(1) > wire::kMaxTcpOptionBytes) return;
  options.sack = receiver.take_sack_blocks((wire::kMaxTcpOptionBytes - used - 4) / 8);
}

/// Everything but a RST and a plain SYN acknowledges.
void Subflow::Impl::finish_segment(SegmentSink& sink, wire::OutgoingSegment& out) {
  const uint8_t scale = out.flags.syn ? 0 : own_window_scale();
  const uint64_t wanted = upper.receive_window(self);
  const uint64_t units = std::min<uint64_t>((wanted >> scale) + ((wanted & ((1u << scale) - 1)) != 0), 65535);
  out.window = last_window_field = static_cast<uint16_t>(units);
  if (out.flags.ack) {
    out.ack = receiver.wire_rcv_nxt();
    last_ack_sent = receiver.rcv_nxt();
    receiver.on_window_advertised(units << scale);
    acks.on_ack_sent();
  }
  ++totals.segments_out;
  sink.send(out);
}

/// Remembers the largest set of options of a period: segments cut for it fit whatever the upper adds.
void Subflow::Impl::note_upper_options(size_t bytes) {
  const uint16_t now_bytes = static_cast<uint16_t>(bytes);
  upper_option_bytes_period = std::max(upper_option_bytes_period, now_bytes);
  const uint16_t before = upper_option_bytes;
  upper_option_bytes = std::max(upper_option_bytes, now_bytes);
  if (++upper_option_segments >= kOptionPeriod) {
    upper_option_bytes = std::exchange(upper_option_bytes_period, uint16_t{0});
    upper_option_segments = 0;
  }
  if (upper_option_bytes != before) recovery.set_mss(mss());
}

/// Octets that SACK blocks are going to take of a data segment.
size_t Subflow::Impl::sack_bytes_wanted() const {
  if (!handshake.has_sack || !receiver.has_sack_blocks()) return 0;
  const size_t used = (handshake.has_timestamps ? kTimestampBytes : 0) + upper_option_bytes;
  if (used + sack_option_bytes(1) > wire::kMaxTcpOptionBytes) return 0;
  const size_t room = (wire::kMaxTcpOptionBytes - used - 4) / 8;
  return sack_option_bytes(std::min(room, receiver.sack_block_count()));
}

/// Payload of the next full segment.
uint32_t Subflow::Impl::max_payload() const {
  const size_t sack_bytes = sack_bytes_wanted();
  const uint32_t full = mss();
  return full > sack_bytes + 8 ? full - static_cast<uint32_t>(sack_bytes) : full;
}

uint32_t Subflow::Impl::mss() const {
  const uint32_t options = (handshake.has_timestamps ? kTimestampBytes : 0) + upper_option_bytes;
  return handshake.send_mss - std::min<uint32_t>(options, wire::kMaxTcpOptionBytes);
}

}  // namespace braid::tcp
