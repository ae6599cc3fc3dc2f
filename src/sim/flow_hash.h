// Which flow a packet belongs to: a hash of addresses, protocol and ports, the same for all its packets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace braid::sim {

/// Deterministic on every machine. Fragments and what is not TCP or UDP are hashed by their addresses alone.
uint64_t flow_hash(std::span<const std::byte> packet, uint64_t salt);

}  // namespace braid::sim
