#include "sim/icmp_error.h"

#include <algorithm>
#include <cstring>

#include "wire/byte_order.h"
#include "wire/checksum.h"
#include "wire/ip_header.h"

namespace braid::sim {

namespace {

constexpr uint8_t kIcmp = 1, kTcp = 6, kIcmpV6 = 58;
constexpr size_t kIcmpHeader = 8;
constexpr size_t kQuotedV4 = 128;  // RFC 1812, 4.3.2.3: as much as fits in 576 octets; this is enough

struct TypeAndCode {
  uint8_t type, code;
};
TypeAndCode type_of(IcmpReason reason, bool is_v4) {
  switch (reason) {
    case IcmpReason::kTimeExceeded:
      return is_v4 ? TypeAndCode{11, 0} : TypeAndCode{3, 0};
    case IcmpReason::kPacketTooBig:
      return is_v4 ? TypeAndCode{3, 4} : TypeAndCode{2, 0};
    case IcmpReason::kNoRoute:
      break;
  }
  return is_v4 ? TypeAndCode{3, 0} : TypeAndCode{1, 0};
}

std::byte* write_address(const wire::IpAddress& address, std::byte* at) {
  std::memcpy(at, address.bytes().data(), address.size());
  return at + address.size();
}

}  // namespace

std::optional<Packet> make_icmp_error(IcmpReason reason, uint32_t mtu, const Packet& packet,
                                      const wire::IpAddress& router, ChunkPool& pool) {
  wire::IpHeader ip;
  const auto original = packet.bytes.bytes();
  if (wire::parse_ip_header(original, wire::IpContext::kPacket, ip).has_value()) return std::nullopt;
  if (ip.protocol != kTcp || ip.family != router.family()) return std::nullopt;
  const bool is_v4 = ip.family == wire::Family::kV4;
  const size_t ip_size = is_v4 ? wire::kIpv4HeaderSize : wire::kIpv6HeaderSize;
  const size_t quoted = std::min(original.size(), is_v4 ? kQuotedV4 : 1280 - ip_size - kIcmpHeader);
  const size_t message = kIcmpHeader + quoted;
  ChunkRef chunk = pool.allocate(ip_size + message);
  std::byte* const out = chunk->data();
  std::memset(out, 0, ip_size + kIcmpHeader);
  if (is_v4) {
    wire::store8(out, 0x45);
    wire::store16(out + 2, static_cast<uint16_t>(ip_size + message));
    wire::store8(out + 8, 64);
    wire::store8(out + 9, kIcmp);
    write_address(ip.source(), write_address(router, out + 12));
    wire::store16(out + 10, wire::ipv4_header_checksum({out, ip_size}));
  } else {
    wire::store8(out, 0x60);
    wire::store16(out + 4, static_cast<uint16_t>(message));
    wire::store8(out + 6, kIcmpV6);
    wire::store8(out + 7, 64);
    write_address(ip.source(), write_address(router, out + 8));
  }
  std::byte* const icmp = out + ip_size;
  const TypeAndCode kind = type_of(reason, is_v4);
  wire::store8(icmp, kind.type);
  wire::store8(icmp + 1, kind.code);
  if (reason == IcmpReason::kPacketTooBig) wire::store32(icmp + 4, mtu);
  std::memcpy(icmp + kIcmpHeader, original.data(), quoted);
  wire::InternetChecksum sum;
  if (!is_v4) {
    sum.add({out + 8, 32});
    sum.add32(static_cast<uint32_t>(message));
    sum.add32(kIcmpV6);
  }
  sum.add({icmp, message});
  wire::store16(icmp + 2, sum.checksum());
  Packet error;
  error.bytes = Slice(std::move(chunk), 0, ip_size + message);
  error.checksum = wire::ChecksumState::kValid;
  return error;
}

}  // namespace braid::sim
