#include "sim/middlebox/stateful_firewall.h"

namespace braid::sim {

bool StatefulFirewall::is_allowed(const TcpPacket& packet, const End& own, const End& other) const {
  const wire::TcpFlags flags = packet.flags();
  if (flags.syn || flags.rst) return true;
  if (config_.drops_unseen_acks && flags.ack && other.is_known && packet.ack().after(other.next))
    return false;
  const size_t size = packet.payload_size();
  if (size == 0) return true;
  if (config_.drops_after_hole && own.is_known && packet.seq().after(own.next)) return false;
  const Seq32 end = packet.seq() + static_cast<uint32_t>(size);
  return !config_.ignores_window_scale || !other.has_edge || !end.after(other.edge);
}

/// On the ports of one that it remembers; the same SYN again is none.
bool StatefulFirewall::is_new_connection(const TcpPacket& packet, const End& own) {
  const wire::TcpFlags flags = packet.flags();
  return flags.syn && !flags.ack && own.is_known && own.syn != packet.seq();
}

void StatefulFirewall::note(const TcpPacket& packet, End& own) {
  const Seq32 end = packet.seq() + packet.sequence_length();
  if (!own.is_known || end.after(own.next)) own.next = end;
  own.is_known = true;
  if (!packet.flags().ack) return;
  const Seq32 edge = packet.ack() + packet.window();
  if (!own.has_edge || edge.after(own.edge)) own.edge = edge;
  own.has_edge = true;
}

void StatefulFirewall::on_packet(Direction direction, Packet packet, MiddleboxOutput& output, Time /*now*/) {
  std::optional<TcpPacket> tcp = TcpPacket::open(packet, output.pool());
  if (!tcp) return output.emit(direction, std::move(packet));
  if (!tcp->is_intact()) {
    ++totals_.dropped;
    return;
  }
  const wire::TcpFlags flags = tcp->flags();
  Flow& flow = flows_.get(flow_of(*tcp, direction));
  if (is_new_connection(*tcp, flow.ends[static_cast<size_t>(direction)])) flow = {};
  if (flags.syn && !flags.ack) flow.has_syn = true;
  End& own = flow.ends[static_cast<size_t>(direction)];
  const End& other = flow.ends[static_cast<size_t>(opposite(direction))];
  if ((config_.requires_syn && !flow.has_syn) || !is_allowed(*tcp, own, other)) {
    ++totals_.dropped;
    return;
  }
  note(*tcp, own);
  if (flags.syn) own.syn = tcp->seq();
  if (flags.rst) flows_.erase(flow_of(*tcp, direction));
  ++totals_.passed;
  output.emit(direction, std::move(*tcp).close());
}

}  // namespace braid::sim
