#include "sim/middlebox/coalescer.h"

#include <cstring>
#include <vector>

namespace braid::sim {

void Coalescer::release(Held& held, MiddleboxOutput& output) {
  if (!held.packet) return;
  Packet packet = std::move(*held.packet).close();
  held.packet.reset();
  held.until = kNever;
  output.emit(held.direction, std::move(packet));
}

/// True: `next` is part of what is held now.
bool Coalescer::join(Held& held, TcpPacket& next) {
  TcpPacket& first = *held.packet;
  const size_t size = first.payload_size();
  if (next.seq() != first.seq() + static_cast<uint32_t>(size)) return false;
  if (size + next.payload_size() > config_.most_payload_bytes) return false;
  std::vector<std::byte> bytes(first.payload().begin(), first.payload().end());
  bytes.insert(bytes.end(), next.payload().begin(), next.payload().end());
  // The later headers say more: acknowledgment, window, FIN, PSH. But what the first says to the receiver
  // alone must not get lost (CWR, RFC 3168, 6.1.2).
  wire::TcpFlags flags = next.flags();
  flags.cwr = flags.cwr || first.flags().cwr;
  flags.psh = flags.psh || first.flags().psh;
  if (config_.keeps_last_options) {
    const Seq32 seq = first.seq();
    next.set_payload(bytes);
    next.set_seq(seq);
    next.set_flags(flags);
    first = std::move(next);
  } else {
    first.set_payload(bytes);
    first.set_ack(next.ack());
    first.set_window(next.window());
    first.set_flags(flags);
  }
  return true;
}

void Coalescer::on_packet(Direction direction, Packet packet, MiddleboxOutput& output, Time now) {
  std::optional<TcpPacket> tcp = TcpPacket::open(packet, output.pool());
  if (!tcp) return output.emit(direction, std::move(packet));
  if (!tcp->is_intact()) return output.emit(direction, std::move(*tcp).close());
  const wire::TcpFlags flags = tcp->flags();
  Held& held = flows_.get(flow_of(*tcp, direction)).held[static_cast<size_t>(direction)];
  held.direction = direction;
  const bool is_plain = tcp->payload_size() > 0 && !flags.syn && !flags.rst && !flags.urg;
  if (held.packet && is_plain && join(held, *tcp)) {
    ++totals_.changed;
    if (flags.fin || held.packet->payload_size() >= config_.most_payload_bytes) release(held, output);
    return;
  }
  release(held, output);
  ++totals_.passed;
  if (!is_plain || flags.fin || tcp->payload_size() >= config_.most_payload_bytes) {
    return output.emit(direction, std::move(*tcp).close());
  }
  held.packet = std::move(*tcp);
  held.until = now + config_.hold;
  deadline_ = earlier(deadline_, held.until);
}

void Coalescer::on_timer(MiddleboxOutput& output, Time now) {
  deadline_ = kNever;
  flows_.for_each([&](const wire::FourTuple&, Flow& flow) {
    for (Held& held : flow.held) {
      if (held.until <= now) release(held, output);
      deadline_ = earlier(deadline_, held.until);
    }
  });
}

}  // namespace braid::sim
