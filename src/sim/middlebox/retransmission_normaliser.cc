#include "sim/middlebox/retransmission_normaliser.h"

#include <algorithm>
#include <cstring>

namespace braid::sim {

/// True: other bytes were there.
bool RetransmissionNormaliser::reassert(TcpPacket& packet, const Sender& sender) {
  const std::span<std::byte> payload = packet.payload();
  bool has_changed = false;
  for (const Kept& kept : sender.kept) {
    const int64_t offset = kept.begin.distance_from(packet.seq());
    const int64_t begin = std::max<int64_t>(offset, 0);
    const int64_t end = std::min<int64_t>(offset + static_cast<int64_t>(kept.bytes.size()),
                                          static_cast<int64_t>(payload.size()));
    if (begin >= end) continue;
    const std::byte* const first = kept.bytes.data() + (begin - offset);
    const auto size = static_cast<size_t>(end - begin);
    if (std::memcmp(&payload[static_cast<size_t>(begin)], first, size) == 0) continue;
    std::memcpy(&payload[static_cast<size_t>(begin)], first, size);
    has_changed = true;
  }
  return has_changed;
}

void RetransmissionNormaliser::keep(TcpPacket& packet, Sender& sender) const {
  const std::span<std::byte> payload = packet.payload();
  const Seq32 end = packet.seq() + static_cast<uint32_t>(payload.size());
  if (!sender.is_known) sender.next = packet.seq();
  sender.is_known = true;
  // What comes after a hole is kept when the hole is filled: first copies are known in order only.
  const int64_t old = sender.next.distance_from(packet.seq());
  if (old < 0 || old >= static_cast<int64_t>(payload.size())) return;
  sender.kept.push_back({sender.next, {payload.begin() + old, payload.end()}});
  sender.bytes += payload.size() - static_cast<size_t>(old);
  sender.next = end;
  while (sender.bytes > most_bytes_) {
    sender.bytes -= sender.kept.front().bytes.size();
    sender.kept.pop_front();
  }
}

void RetransmissionNormaliser::forget_acked(Sender& sender, Seq32 ack) {
  while (!sender.kept.empty()) {
    const Kept& first = sender.kept.front();
    if ((first.begin + static_cast<uint32_t>(first.bytes.size())).after(ack)) return;
    sender.bytes -= first.bytes.size();
    sender.kept.pop_front();
  }
}

void RetransmissionNormaliser::on_packet(Direction direction, Packet packet, MiddleboxOutput& output,
                                         Time /*now*/) {
  std::optional<TcpPacket> tcp = TcpPacket::open(packet, output.pool());
  if (!tcp) return output.emit(direction, std::move(packet));
  if (!tcp->is_intact()) return output.emit(direction, std::move(*tcp).close());
  const wire::TcpFlags flags = tcp->flags();
  Flow& flow = flows_.get(flow_of(*tcp, direction));
  Sender& own = flow.senders[static_cast<size_t>(direction)];
  if (flags.syn) {
    own = {};
    own.is_known = true;
    own.next = tcp->seq() + 1;
  }
  if (flags.ack) forget_acked(flow.senders[static_cast<size_t>(opposite(direction))], tcp->ack());
  bool has_changed = false;
  if (tcp->payload_size() > 0 && !flags.syn) {
    has_changed = reassert(*tcp, own);
    keep(*tcp, own);
  }
  ++(has_changed ? totals_.changed : totals_.passed);
  output.emit(direction, std::move(*tcp).close());
}

}  // namespace braid::sim
