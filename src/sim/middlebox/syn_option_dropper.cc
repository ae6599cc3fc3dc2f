#include "sim/middlebox/syn_option_dropper.h"

#include "wire/mptcp_options.h"

namespace braid::sim {

void SynOptionDropper::on_packet(Direction direction, Packet packet, MiddleboxOutput& output, Time /*now*/) {
  std::optional<TcpPacket> tcp = TcpPacket::open(packet, output.pool());
  if (!tcp) return output.emit(direction, std::move(packet));
  const wire::TcpFlags flags = tcp->flags();
  const bool is_watched = flags.syn && (flags.ack ? config_.drops_syn_ack : config_.drops_syn);
  bool is_unknown = false;
  if (is_watched) {
    tcp->for_each_option([&](uint8_t kind, std::span<std::byte>) {
      is_unknown = is_unknown || kind == wire::kOptionKindMptcp;
    });
  }
  if (is_unknown) {
    uint64_t& dropped = dropped_.get(flow_of(*tcp, direction));
    if (dropped < config_.most) {
      ++dropped;
      ++totals_.dropped;
      return;
    }
  }
  ++totals_.passed;
  output.emit(direction, std::move(*tcp).close());
}

}  // namespace braid::sim
