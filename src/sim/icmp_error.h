// ICMP errors that routers send (RFC 792, 1191, 4443).
#pragma once

#include <cstdint>
#include <optional>

#include "sim/packet.h"

namespace braid::sim {

enum class IcmpReason : uint8_t { kTimeExceeded, kPacketTooBig, kNoRoute };

/// About `packet`, from `router` to its sender. Nothing for packets that must not be answered (ICMP errors
/// themselves, fragments, malformed ones) or of another family than the router's address.
std::optional<Packet> make_icmp_error(IcmpReason reason, uint32_t mtu, const Packet& packet,
                                      const wire::IpAddress& router, ChunkPool& pool);

}  // namespace braid::sim
