#include "sim/middlebox/mss_clamper.h"

#include "sim/middlebox/tcp_packet.h"
#include "wire/byte_order.h"
#include "wire/tcp_options.h"

namespace braid::sim {

void MssClamper::on_packet(Direction direction, Packet packet, MiddleboxOutput& output, Time /*now*/) {
  const bool is_on = direction == Direction::kForward ? config_.forward : config_.backward;
  std::optional<TcpPacket> tcp;
  if (is_on) tcp = TcpPacket::open(packet, output.pool());
  if (!tcp) {
    ++totals_.passed;
    return output.emit(direction, std::move(packet));
  }
  bool has_changed = false;
  if (tcp->flags().syn) {
    tcp->for_each_option([&](uint8_t kind, std::span<std::byte> option) {
      if (kind != wire::kOptionKindMss || option.size() != 4) return;
      if (wire::load16(&option[2]) <= config_.mss) return;
      wire::store16(&option[2], config_.mss);
      has_changed = true;
    });
  }
  ++(has_changed ? totals_.changed : totals_.passed);
  output.emit(direction, std::move(*tcp).close());
}

}  // namespace braid::sim
