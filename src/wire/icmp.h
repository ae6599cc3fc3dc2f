// ICMP and ICMPv6 errors about TCP segments.
#pragma once

#include <cstddef>
#include <span>
#include <variant>

#include "wire/ip_header.h"
#include "wire/packet.h"

namespace braid::wire {

/// `message` is what the IP header `outer` carries. kNotTcp: not an error, or not about TCP.
std::variant<IcmpError, ParseError> parse_icmp(const IpHeader& outer, std::span<const std::byte> message,
                                               ChecksumState checksum);

}  // namespace braid::wire
