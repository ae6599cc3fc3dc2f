#include "sim/middlebox/proactive_acker.h"

#include <algorithm>

#include "sim/middlebox/segments.h"
#include "wire/tcp_options.h"

namespace braid::sim {

namespace {
constexpr uint32_t kDuplicatesForRepeat = 3;
constexpr uint8_t kMostScale = 14;

std::optional<uint8_t> window_scale_of(TcpPacket& packet) {
  std::optional<uint8_t> scale;
  packet.for_each_option([&](uint8_t kind, std::span<std::byte> option) {
    if (kind == wire::kOptionKindWindowScale && option.size() == 3)
      scale = std::min(static_cast<uint8_t>(option[2]), kMostScale);
  });
  return scale;
}
constexpr size_t kTimestampsSize = 10;

/// The two values of an option of the right size.
std::optional<std::span<std::byte>> timestamps_of(TcpPacket& packet) {
  std::optional<std::span<std::byte>> values;
  packet.for_each_option([&](uint8_t kind, std::span<std::byte> option) {
    if (kind == wire::kOptionKindTimestamps && option.size() == kTimestampsSize) values = option.subspan(2);
  });
  return values;
}

}  // namespace

/// With the newest timestamps: the receiver takes older ones than it has seen for a segment of another time
/// (RFC 7323, 5), and the sender, which has its ACK, will not repeat it.
void ProactiveAcker::repeat_first(Half& half, Direction data, MiddleboxOutput& output, Time now) {
  ++totals_.made;
  half.duplicates = 0;
  half.repeat_at = now + config_.retransmission_timeout;
  Packet again = half.held.front().packet;
  std::optional<TcpPacket> tcp = TcpPacket::open(again, output.pool());
  if (!tcp) return output.emit(data, std::move(again));
  if (const auto values = timestamps_of(*tcp); values && half.timestamps)
    std::ranges::copy(*half.timestamps, values->begin());
  output.emit(data, std::move(*tcp).close());
}

/// An ACK by the receiver of `half`: frees what it covers; three of the same ask for the first again.
void ProactiveAcker::on_ack(Half& half, const TcpPacket& packet, uint16_t window, Direction data,
                            MiddleboxOutput& output, Time now) {
  half.window = window;
  half.receiver_seq = packet.seq() + packet.sequence_length();
  half.has_receiver = true;
  if (!half.is_known) return;
  if (packet.ack().after(half.acked)) {
    half.acked = packet.ack();
    if (half.acked.after(half.next)) half.next = half.acked;  // data that only passed
    half.duplicates = 0;
    while (!half.held.empty() && !half.held.front().end.after(half.acked)) {
      half.bytes -= half.held.front().packet.bytes.size();
      half.held.pop_front();
    }
    half.repeat_at = half.held.empty() ? kNever : now + config_.retransmission_timeout;
    if (!half.acked.before(half.recover)) half.is_recovering = false;
    // Not all was there: the next hole (NewReno, RFC 6582).
    if (half.is_recovering && !half.held.empty()) repeat_first(half, data, output, now);
  } else if (packet.payload_size() == 0 && !half.held.empty() && !half.is_recovering &&
             ++half.duplicates == kDuplicatesForRepeat) {
    half.is_recovering = true;
    half.recover = half.next;
    repeat_first(half, data, output, now);
  }
  deadline_ = earlier(deadline_, half.repeat_at);
}

/// Whether the segment's data are ours to answer for: in order, and there is room for them.
bool ProactiveAcker::take_over(Half& half, const TcpPacket& packet) const {
  if (!half.is_known || packet.seq() != half.next) return false;  // an ACK covers all that is before
  return half.has_receiver && half.bytes + packet.payload_size() <= config_.most_bytes;
}

void ProactiveAcker::acknowledge(const Half& half, const TcpPacket& packet, Direction data,
                                 MiddleboxOutput& output) {
  wire::OutgoingSegment ack;
  ack.tuple = {packet.destination(), packet.source()};
  ack.seq = half.receiver_seq;
  ack.ack = half.next;
  ack.flags.ack = true;
  ack.window = half.window;
  output.emit(opposite(data), build(ack, output.pool()));
}

void ProactiveAcker::on_packet(Direction direction, Packet packet, MiddleboxOutput& output, Time now) {
  std::optional<TcpPacket> tcp = TcpPacket::open(packet, output.pool());
  if (!tcp) return output.emit(direction, std::move(packet));
  if (!tcp->is_intact()) return output.emit(direction, std::move(*tcp).close());
  const wire::TcpFlags flags = tcp->flags();
  const wire::FourTuple key = flow_of(*tcp, direction);
  Flow& flow = flows_.get(key);
  Half& own = flow.halves[static_cast<size_t>(direction)];
  if (flags.rst) {
    flows_.erase(key);
    return output.emit(direction, std::move(*tcp).close());
  }
  if (flags.syn) {
    own = {};
    own.is_known = true;
    own.next = own.acked = tcp->seq() + 1;
  }
  if (const auto values = timestamps_of(*tcp)) {
    const Seq32 value(wire::load32(values->data()));
    if (!own.timestamps || !value.before(Seq32(wire::load32(own.timestamps->data())))) {
      own.timestamps.emplace();
      std::ranges::copy(*values, own.timestamps->begin());
    }
  }
  if (flags.syn) flow.scales[static_cast<size_t>(direction)] = window_scale_of(*tcp);
  if (flags.ack) {
    // That of a SYN is never scaled (RFC 7323, 2.2); what we send with it is.
    const bool is_scaled = flow.scales[0].has_value() && flow.scales[1].has_value();
    const unsigned shift = flags.syn && is_scaled ? *flow.scales[static_cast<size_t>(direction)] : 0;
    const auto window = static_cast<uint16_t>(tcp->window() >> shift);
    on_ack(flow.halves[static_cast<size_t>(opposite(direction))], *tcp, window, opposite(direction), output,
           now);
  }
  const bool is_ours = tcp->payload_size() > 0 && !flags.syn && !flags.fin && take_over(own, *tcp);
  if (!is_ours) {
    ++totals_.passed;
    return output.emit(direction, std::move(*tcp).close());
  }
  own.next = own.next + static_cast<uint32_t>(tcp->payload_size());
  acknowledge(own, *tcp, direction, output);
  ++totals_.made;
  Packet whole = std::move(*tcp).close();
  own.bytes += whole.bytes.size();
  own.held.push_back({own.next, whole});
  if (own.repeat_at == kNever) own.repeat_at = now + config_.retransmission_timeout;
  deadline_ = earlier(deadline_, own.repeat_at);
  output.emit(direction, std::move(whole));
}

void ProactiveAcker::on_timer(MiddleboxOutput& output, Time now) {
  deadline_ = kNever;
  flows_.for_each([&](const wire::FourTuple&, Flow& flow) {
    for (const Direction data : {Direction::kForward, Direction::kBackward}) {
      Half& half = flow.halves[static_cast<size_t>(data)];
      if (half.repeat_at <= now) {
        half.is_recovering = true;
        half.recover = half.next;
        repeat_first(half, data, output, now);
      }
      deadline_ = earlier(deadline_, half.repeat_at);
    }
  });
}

}  // namespace braid::sim
