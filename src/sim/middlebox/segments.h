// Segments that middleboxes make up themselves.
#pragma once

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

}  // namespace braid::sim
