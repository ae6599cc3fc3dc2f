// IP packets that are not TCP, as the gateway of a captured namespace needs them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/chunk.h"
#include "wire/address.h"
#include "wire/packet.h"

namespace braid::service {

/// What a packet carries, looked into no further than needed to decide who gets it.
struct PacketView {
  wire::IpAddress source, destination;
  uint8_t protocol = 0;
  std::span<const std::byte> packet;   // from the IP header on
  std::span<const std::byte> payload;  // what the IP header says is behind it
};
/// Nothing for what is damaged, and for fragments.
std::optional<PacketView> view_packet(std::span<const std::byte> packet);

inline constexpr uint8_t kProtocolUdp = 17;

/// A UDP datagram in a packet of its own. `payload`: 65,507 octets at most with IPv4, 65,487 with IPv6.
wire::OutgoingPacket make_datagram(const wire::Endpoint& source, const wire::Endpoint& destination,
                                   Slice payload);
/// An ICMP or ICMPv6 message as it stands, from its type on; its checksum is written anew.
wire::OutgoingPacket make_icmp(const wire::IpAddress& source, const wire::IpAddress& destination,
                               std::span<const std::byte> message, ChunkPool& pool);

enum class Unreachable : uint8_t { kNet, kHost, kPort, kProhibited, kTooBig };
/// What connect() and send() say at the other side of it: an errno to what a router would say.
std::optional<Unreachable> unreachable_for(int error);
/// "That packet of yours did not arrive", from its own destination, quoting its beginning (RFC 792; RFC
/// 4443). `mtu`: of kTooBig.
wire::OutgoingPacket make_unreachable(const PacketView& about, Unreachable why, uint32_t mtu,
                                      ChunkPool& pool);
/// The beginning of a datagram that was sent, for make_unreachable(): enough for its sender to know it.
Slice quote_datagram(const wire::Endpoint& source, const wire::Endpoint& destination, ChunkPool& pool);

}  // namespace braid::service
