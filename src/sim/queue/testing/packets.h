// For tests: packets of a size, of flows told apart by their source port.
#pragma once

#include <cstdint>
#include <vector>

#include "base/chunk.h"
#include "sim/packet.h"
#include "wire/byte_order.h"
#include "wire/packet.h"

namespace braid::sim::testing {

inline constexpr uint8_t kNotEct = 0, kEct0 = 2, kCe = 3;

/// `size` octets, headers included: 41 at least. `ecn`: the two bits of the IP header.
inline Packet packet_of(ChunkPool& pool, size_t size, uint16_t flow = 1000, uint8_t ecn = kNotEct) {
  wire::OutgoingSegment segment;
  segment.tuple = {{wire::IpAddress::v4(0xc0000201), flow}, {wire::IpAddress::v4(0xc6336401), 80}};
  segment.flags.ack = true;
  segment.traffic_class = ecn;
  segment.payload.push_back(copy_to_slice(pool, std::vector<std::byte>(size - 40, std::byte{1})));
  wire::OutgoingPacket packet;
  wire::build_packet(segment, wire::OffloadSupport::kNone, 0, packet);
  return wire::flatten(packet, pool);
}
inline uint16_t flow_of(const Packet& packet) { return wire::load16(packet.bytes.data() + 20); }
inline uint8_t ecn_of(const Packet& packet) { return wire::load8(packet.bytes.data() + 1) & 3; }

}  // namespace braid::sim::testing
