#include "sim/flow_hash.h"

#include "wire/byte_order.h"

namespace braid::sim {

namespace {

uint64_t mix(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

constexpr unsigned kTcp = 6, kUdp = 17;

}  // namespace

uint64_t flow_hash(std::span<const std::byte> packet, uint64_t salt) {
  if (packet.size() < 20) return mix(salt);
  const bool is_v4 = (static_cast<unsigned>(packet[0]) >> 4) == 4;
  if (!is_v4 && packet.size() < 40) return mix(salt);
  const size_t begin = is_v4 ? 12 : 8, end = is_v4 ? 20 : 40;
  uint64_t hash = salt;
  for (size_t at = begin; at < end; at += 4) hash = mix(hash ^ wire::load32(&packet[at]));
  const auto protocol = static_cast<unsigned>(packet[is_v4 ? 9 : 6]);
  const size_t ports = is_v4 ? (static_cast<size_t>(packet[0]) & 15) * 4 : 40;
  const bool is_fragment = is_v4 && (wire::load16(&packet[6]) & 0x3fff) != 0;
  if ((protocol == kTcp || protocol == kUdp) && !is_fragment && packet.size() >= ports + 4) {
    hash = mix(hash ^ wire::load32(&packet[ports]));
  }
  return mix(hash ^ protocol);
}

}  // namespace braid::sim
