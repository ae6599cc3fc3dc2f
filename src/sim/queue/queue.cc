#include "sim/queue/queue.h"

#include "sim/queue/codel.h"
#include "sim/queue/drop_tail.h"
#include "sim/queue/fq_codel.h"
#include "sim/queue/red.h"
#include "wire/byte_order.h"
#include "wire/ip_header.h"

namespace braid::sim {

const std::vector<std::string>& queue_disciplines() {
  static const std::vector<std::string> names = {"drop-tail", "red", "codel", "fq-codel"};
  return names;
}

std::unique_ptr<Queue> make_queue(const QueueConfig& config, ChunkPool& pool, RandomSource& random) {
  if (config.discipline == "drop-tail") return std::make_unique<DropTail>(config);
  if (config.discipline == "red") return std::make_unique<Red>(config, pool, random);
  if (config.discipline == "codel") return std::make_unique<Codel>(config, pool);
  if (config.discipline == "fq-codel") return std::make_unique<FqCodel>(config, pool, random);
  return nullptr;
}

bool mark_congestion(Packet& packet, ChunkPool& pool) {
  const auto bytes = packet.bytes.bytes();
  const bool is_v4 = (static_cast<uint8_t>(bytes[0]) >> 4) == 4;
  if (bytes.size() < (is_v4 ? wire::kIpv4HeaderSize : wire::kIpv6HeaderSize)) return false;
  // IPv6: the class is bits 4 to 11; its two last are bits 5 and 4 of the second octet.
  const unsigned shift = is_v4 ? 0 : 4;
  const unsigned ecn = static_cast<unsigned>(bytes[1]) >> shift & 3;
  if (ecn == 0) return false;
  if (ecn == 3) return true;
  std::byte* const out = writable_bytes(packet, pool);
  out[1] |= static_cast<std::byte>(3u << shift);
  if (is_v4) {
    const size_t header_size = (static_cast<size_t>(out[0]) & 15) * 4;
    wire::store16(out + 10, 0);
    wire::store16(out + 10, wire::ipv4_header_checksum({out, header_size}));
  }
  return true;
}

}  // namespace braid::sim
