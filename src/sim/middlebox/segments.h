// Segments that middleboxes make up themselves.
#pragma once

#include <optional>

#include "sim/middlebox/tcp_packet.h"
#include "sim/packet.h"
#include "wire/packet.h"

namespace braid::sim {

inline Packet build(const wire::OutgoingSegment& segment, ChunkPool& pool) {
  wire::OutgoingPacket packet;
  wire::build_packet(segment, wire::OffloadSupport::kNone, 0, packet);
  Packet flat = wire::flatten(packet, pool);
  flat.checksum = wire::ChecksumState::kValid;
  return flat;
}

/// To the sender of `refused`, as if there were no such connection (RFC 9293, 3.10.7.1). Nothing to a reset.
inline std::optional<Packet> make_reset(const TcpPacket& refused, ChunkPool& pool) {
  const wire::TcpFlags flags = refused.flags();
  if (flags.rst) return std::nullopt;
  wire::OutgoingSegment reset;
  reset.tuple = {refused.destination(), refused.source()};
  reset.flags.rst = true;
  if (flags.ack) {
    reset.seq = refused.ack();
  } else {
    reset.flags.ack = true;
    reset.ack = refused.seq() + refused.sequence_length();
  }
  return build(reset, pool);
}

}  // namespace braid::sim
