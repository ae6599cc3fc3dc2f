#include "wire/ip_header.h"

#include "wire/byte_order.h"
#include "wire/checksum.h"

namespace braid::wire {

namespace {

constexpr uint16_t kMoreFragments = 0x2000, kFragmentOffset = 0x1fff;

std::optional<ParseError> parse_v4(std::span<const std::byte> bytes, IpContext context, IpHeader& header) {
  const std::byte* at = bytes.data();
  if (bytes.size() < kIpv4HeaderSize) return ParseError::kTruncated;
  header.header_size = (load8(at) & 0xfu) * 4u;
  if (header.header_size < kIpv4HeaderSize) return ParseError::kBadHeaderLength;
  if (header.header_size > bytes.size()) return ParseError::kTruncated;
  const size_t total = load16(at + 2);
  if (context == IpContext::kPacket) {
    if (total < header.header_size) return ParseError::kBadHeaderLength;
    if (total > bytes.size()) return ParseError::kTruncated;
    if (ipv4_header_checksum(bytes.first(header.header_size)) != 0) return ParseError::kBadIpChecksum;
    header.payload_size = total - header.header_size;
  } else {
    header.payload_size = bytes.size() - header.header_size;
  }
  const uint16_t fragment = load16(at + 6);
  if ((fragment & kFragmentOffset) != 0) return ParseError::kFragment;
  if ((fragment & kMoreFragments) != 0 && context == IpContext::kPacket) return ParseError::kFragment;
  header.traffic_class = load8(at + 1);
  header.hop_limit = load8(at + 8);
  header.protocol = load8(at + 9);
  header.family = Family::kV4;
  header.addresses = at + 12;
  return std::nullopt;
}

// RFC 8200, 4; RFC 7045, 2.
enum NextHeader : uint8_t {
  kHopByHop = 0,
  kRouting = 43,
  kFragmentHeader = 44,
  kAuthentication = 51,
  kDestinationOptions = 60,
  kMobility = 135,
  kHostIdentity = 139,
  kShim6 = 140,
};

/// Walks the extension headers that follow the fixed header, to the first that is none.
std::optional<ParseError> skip_extensions(std::span<const std::byte> packet, IpContext context,
                                          IpHeader& header) {
  for (;;) {
    const std::byte* at = packet.data() + header.header_size;
    const size_t left = packet.size() - header.header_size;
    size_t size = 8;
    switch (header.protocol) {
      case kHopByHop:
      case kRouting:
      case kDestinationOptions:
      case kMobility:
      case kHostIdentity:
      case kShim6:
        if (left < size) return ParseError::kTruncated;
        size = (load8(at + 1) + 1u) * 8u;
        // With segments left the packet is for another node, and a host forwards nothing (RFC 8200, 4.4).
        if (header.protocol == kRouting && load8(at + 3) != 0 && context == IpContext::kPacket) {
          return ParseError::kNotTcp;
        }
        break;
      case kAuthentication:
        if (left < size) return ParseError::kTruncated;
        size = (load8(at + 1) + 2u) * 4u;
        break;
      case kFragmentHeader: {
        if (left < size) return ParseError::kTruncated;
        const uint16_t fragment = load16(at + 2);
        // A fragment that is the whole packet is as good as none (RFC 6946).
        if ((fragment & 0xfff8) != 0) return ParseError::kFragment;
        if ((fragment & 1) != 0 && context == IpContext::kPacket) return ParseError::kFragment;
        break;
      }
      default:
        return std::nullopt;
    }
    if (left < size) return ParseError::kTruncated;
    header.protocol = load8(at);
    header.header_size += size;
  }
}

std::optional<ParseError> parse_v6(std::span<const std::byte> bytes, IpContext context, IpHeader& header) {
  const std::byte* at = bytes.data();
  if (bytes.size() < kIpv6HeaderSize) return ParseError::kTruncated;
  size_t total = bytes.size();
  if (context == IpContext::kPacket) {
    total = kIpv6HeaderSize + load16(at + 4);
    if (total > bytes.size()) return ParseError::kTruncated;
  }
  header.traffic_class = static_cast<uint8_t>(load16(at) >> 4);
  header.hop_limit = load8(at + 7);
  header.protocol = load8(at + 6);
  header.family = Family::kV6;
  header.addresses = at + 8;
  header.header_size = kIpv6HeaderSize;
  if (auto error = skip_extensions(bytes.first(total), context, header)) return error;
  header.payload_size = total - header.header_size;
  return std::nullopt;
}

}  // namespace

std::optional<ParseError> parse_ip_header(std::span<const std::byte> bytes, IpContext context,
                                          IpHeader& header) {
  if (bytes.empty()) return ParseError::kTruncated;
  switch (load8(bytes.data()) >> 4) {
    case 4:
      return parse_v4(bytes, context, header);
    case 6:
      return parse_v6(bytes, context, header);
    default:
      return ParseError::kBadVersion;
  }
}

uint16_t ipv4_header_checksum(std::span<const std::byte> header) {
  const std::byte* at = header.data();
  uint64_t sum = uint64_t{load_native<uint32_t>(at)} + load_native<uint32_t>(at + 4) +
                 load_native<uint32_t>(at + 8) + load_native<uint32_t>(at + 12) +
                 load_native<uint32_t>(at + 16);
  for (size_t i = kIpv4HeaderSize; i < header.size(); i += 4) sum += load_native<uint32_t>(at + i);
  return static_cast<uint16_t>(~to_network(fold_sum(sum)));
}

}  // namespace braid::wire
