#include "sim/packet.h"

namespace braid::sim {

std::byte* writable_bytes(Packet& packet, ChunkPool& pool) {
  if (packet.bytes.chunk()->is_shared()) packet.bytes = copy_to_slice(pool, packet.bytes.bytes());
  const auto offset = static_cast<size_t>(packet.bytes.data() - packet.bytes.chunk()->data());
  return packet.bytes.chunk()->data() + offset;
}

}  // namespace braid::sim
