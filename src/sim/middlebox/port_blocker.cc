#include "sim/middlebox/port_blocker.h"

#include <algorithm>

#include "sim/middlebox/segments.h"
#include "sim/middlebox/tcp_packet.h"

namespace braid::sim {

bool PortBlocker::is_blocked(uint16_t port) const {
  return std::ranges::any_of(
      config_.ports, [port](const auto& range) { return range.first <= port && port <= range.second; });
}

void PortBlocker::on_packet(Direction direction, Packet packet, MiddleboxOutput& output, Time /*now*/) {
  const bool is_on = direction == Direction::kForward ? config_.forward : config_.backward;
  std::optional<TcpPacket> tcp;
  if (is_on) tcp = TcpPacket::open(packet, output.pool());
  if (!tcp) {
    ++totals_.passed;
    return output.emit(direction, std::move(packet));
  }
  if (!is_blocked(tcp->destination().port)) {
    ++totals_.passed;
    return output.emit(direction, std::move(*tcp).close());
  }
  ++totals_.dropped;
  if (!config_.resets || !tcp->is_intact()) return;
  if (std::optional<Packet> reset = make_reset(*tcp, output.pool())) {
    ++totals_.made;
    output.emit(opposite(direction), std::move(*reset));
  }
}

}  // namespace braid::sim
