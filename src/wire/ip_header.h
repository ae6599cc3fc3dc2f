// The IP header of a received packet, IPv4 or IPv6, up to what it carries.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "wire/address.h"
#include "wire/byte_order.h"
#include "wire/checksum.h"
#include "wire/packet.h"

namespace braid::wire {

inline constexpr size_t kIpv4HeaderSize = 20;
inline constexpr size_t kIpv6HeaderSize = 40;

struct IpHeader {
  Family family = Family::kV4;
  uint8_t protocol = 0;
  uint8_t traffic_class = 0;
  uint8_t hop_limit = 0;                 // IPv4's time to live
  size_t header_size = 0;                // with IPv4 options or IPv6 extension headers
  size_t payload_size = 0;               // what is behind may be padding
  const std::byte* addresses = nullptr;  // in the packet: source, then destination

  IpAddress source() const { return address_at(addresses); }
  IpAddress destination() const { return address_at(addresses + address_size()); }
  size_t address_size() const { return family == Family::kV4 ? 4 : 16; }
  /// The pseudo header of a `length` octets long message of `protocol`.
  InternetChecksum pseudo_header(uint8_t payload_protocol, size_t length) const {
    InternetChecksum sum;
    sum.add({addresses, 2 * address_size()});
    sum.add32(static_cast<uint32_t>(length));
    sum.add32(payload_protocol);
    return sum;
  }

 private:
  IpAddress address_at(const std::byte* at) const {
    if (family == Family::kV4) return IpAddress::v4(load32(at));
    std::array<uint8_t, 16> bytes;
    std::memcpy(bytes.data(), at, bytes.size());
    return IpAddress::v6(bytes);
  }
};

enum class IpContext : uint8_t {
  kPacket,  // a whole packet: lengths and the header checksum are verified
  kQuoted,  // the beginning of one, inside an ICMP error: lengths say more than is there, and routers have
            // changed the header since
};

/// Nothing if the header is good; `header` is then filled in.
std::optional<ParseError> parse_ip_header(std::span<const std::byte> bytes, IpContext context,
                                          IpHeader& header);

/// The inverted sum over an IPv4 header (at least 20 octets), in host order; over one that includes a good
/// checksum, 0.
uint16_t ipv4_header_checksum(std::span<const std::byte> header);

}  // namespace braid::wire
