#include "sim/middlebox/sequence_rewriter.h"

#include "wire/byte_order.h"
#include "wire/tcp_options.h"

namespace braid::sim {

void shift_sack_blocks(TcpPacket& packet, uint32_t shift) {
  packet.for_each_option([shift](uint8_t kind, std::span<std::byte> option) {
    if (kind != wire::kOptionKindSack) return;
    for (size_t at = 2; at + 4 <= option.size(); at += 4)
      wire::store32(&option[at], wire::load32(&option[at]) + shift);
  });
}

void SequenceRewriter::on_packet(Direction direction, Packet packet, MiddleboxOutput& output, Time /*now*/) {
  std::optional<TcpPacket> tcp = TcpPacket::open(packet, output.pool());
  if (!tcp) return output.emit(direction, std::move(packet));
  const wire::TcpFlags flags = tcp->flags();
  Flow& flow = flows_.get(flow_of(*tcp, direction));
  if (!flow.is_known && flags.syn && !flags.ack) {
    flow.is_known = true;
    for (uint32_t& shift : flow.shift) shift = random_.next32();
  }
  const uint32_t own = flow.shift[static_cast<size_t>(direction)];
  const uint32_t other = flow.shift[static_cast<size_t>(opposite(direction))];
  tcp->set_seq(tcp->seq() + own);
  if (flags.ack) {
    tcp->set_ack(tcp->ack() - other);
    shift_sack_blocks(*tcp, 0u - other);
  }
  ++totals_.changed;
  output.emit(direction, std::move(*tcp).close());
}

}  // namespace braid::sim
