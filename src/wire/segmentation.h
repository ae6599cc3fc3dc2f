// Cutting whole packets as a device with segmentation offload would: for simulated links and middleboxes,
// which see packets, not OutgoingSegments.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "base/chunk.h"
#include "wire/ip_header.h"
#include "wire/packet.h"

namespace braid::wire {

/// The pieces of one packet, one after the other. The packet outlives it.
class PacketCutter {
 public:
  PacketCutter(const ReceivedPacket& packet, ChunkPool& pool);
  /// The next piece, a copy in a chunk of its own with gso_size 0; nothing after the last.
  std::optional<ReceivedPacket> next();

 private:
  void write_ip_header(std::byte* at, size_t piece_size) const;

  const ReceivedPacket& packet_;
  ChunkPool& pool_;
  IpHeader ip_;
  size_t header_size_ = 0;  // IP and TCP headers
  size_t payload_size_ = 0;
  size_t piece_payload_ = 0;  // 0: the packet passes whole
  size_t done_ = 0;           // payload octets handed out
  uint16_t index_ = 0;        // pieces handed out
  bool is_finished_ = false;
  bool is_corrupt_ = false;  // the checksum was wrong, so it stays wrong in every piece
};

/// Calls `emit(ReceivedPacket)` for each piece: headers and options copied, IP lengths, IPv4 identification,
/// sequence numbers and checksums set, FIN and PSH only on the last, CWR only on the first. A packet with
/// gso_size 0, with no more payload than that, or that is no good TCP packet comes out as the one piece that
/// it is, without a copy. A packet whose checksum is unverified and wrong gives pieces whose checksums are.
template <class Emit>
void cut_packet(const ReceivedPacket& packet, ChunkPool& pool, Emit&& emit) {
  PacketCutter cutter(packet, pool);
  while (std::optional<ReceivedPacket> piece = cutter.next()) emit(std::move(*piece));
}

}  // namespace braid::wire
