// The IP header of a received packet, IPv4 or IPv6, up to what it carries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "wire/address.h"
#include "wire/packet.h"

namespace braid::wire {

inline constexpr size_t kIpv4HeaderSize = 20;
inline constexpr size_t kIpv6HeaderSize = 40;

struct IpHeader {
  IpAddress source;
  IpAddress destination;
  uint8_t protocol = 0;
  uint8_t traffic_class = 0;
  size_t header_size = 0;   // with IPv4 options or IPv6 extension headers
  size_t payload_size = 0;  // what is behind may be padding
};

enum class IpContext : uint8_t {
  kPacket,  // a whole packet: lengths and the header checksum are verified
  kQuoted,  // the beginning of one, inside an ICMP error: lengths say more than is there, and routers have
            // changed the header since
};

/// Nothing if the header is good; `header` is then filled in.
std::optional<ParseError> parse_ip_header(std::span<const std::byte> bytes, IpContext context,
                                          IpHeader& header);

/// The inverted sum over an IPv4 header, in host order; over one that includes a good checksum, 0.
uint16_t ipv4_header_checksum(std::span<const std::byte> header);

}  // namespace braid::wire
