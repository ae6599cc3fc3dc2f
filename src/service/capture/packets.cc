#include "service/capture/packets.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "wire/byte_order.h"
#include "wire/checksum.h"
#include "wire/ip_header.h"

namespace braid::service {

namespace {

constexpr size_t kUdpHeaderSize = 8, kIcmpHeaderSize = 8;
constexpr uint8_t kHopLimit = 64;
// RFC 1812, 4.3.2.3: no more than 576 octets in all; what identifies a TCP or UDP packet is in the first 60.
constexpr size_t kMostQuoted = 512;

size_t ip_header_size(wire::Family family) {
  return family == wire::Family::kV4 ? wire::kIpv4HeaderSize : wire::kIpv6HeaderSize;
}

// RFC 791, 3.1; RFC 8200, 3. `out`: as long as the header is.
void write_ip_header(std::byte* out, const wire::IpAddress& source, const wire::IpAddress& destination,
                     uint8_t protocol, size_t payload) {
  std::memset(out, 0, ip_header_size(source.family()));
  if (source.is_v4()) {
    wire::store8(out, 0x45);
    wire::store16(out + 2, static_cast<uint16_t>(wire::kIpv4HeaderSize + payload));
    wire::store8(out + 8, kHopLimit);
    wire::store8(out + 9, protocol);
    std::memcpy(out + 12, source.bytes().data(), 4);
    std::memcpy(out + 16, destination.bytes().data(), 4);
    wire::store16(out + 10, wire::ipv4_header_checksum({out, wire::kIpv4HeaderSize}));
    return;
  }
  wire::store8(out, 0x60);
  wire::store16(out + 4, static_cast<uint16_t>(payload));
  wire::store8(out + 6, protocol);
  wire::store8(out + 7, kHopLimit);
  std::memcpy(out + 8, source.bytes().data(), 16);
  std::memcpy(out + 24, destination.bytes().data(), 16);
}

wire::InternetChecksum pseudo_header(const wire::IpAddress& source, const wire::IpAddress& destination,
                                     uint8_t protocol, size_t length) {
  wire::InternetChecksum sum;
  for (const wire::IpAddress* address : {&source, &destination})
    sum.add({reinterpret_cast<const std::byte*>(address->bytes().data()), address->size()});
  sum.add32(static_cast<uint32_t>(length));
  sum.add32(protocol);
  return sum;
}

struct IcmpWords {
  uint8_t type = 0, code = 0;
};

IcmpWords words_for(Unreachable why, wire::Family family) {
  const bool is_v4 = family == wire::Family::kV4;
  switch (why) {
    case Unreachable::kNet:
      return is_v4 ? IcmpWords{3, 0} : IcmpWords{1, 0};
    case Unreachable::kHost:
      return is_v4 ? IcmpWords{3, 1} : IcmpWords{1, 3};
    case Unreachable::kPort:
      return is_v4 ? IcmpWords{3, 3} : IcmpWords{1, 4};
    case Unreachable::kProhibited:
      return is_v4 ? IcmpWords{3, 13} : IcmpWords{1, 1};
    case Unreachable::kTooBig:
      return is_v4 ? IcmpWords{3, 4} : IcmpWords{2, 0};
  }
  return {};
}

}  // namespace

std::optional<PacketView> view_packet(std::span<const std::byte> packet) {
  wire::IpHeader header;
  if (wire::parse_ip_header(packet, wire::IpContext::kPacket, header)) return std::nullopt;
  PacketView view;
  view.source = header.source();
  view.destination = header.destination();
  view.protocol = header.protocol;
  view.packet = packet.first(header.header_size + header.payload_size);
  view.payload = view.packet.subspan(header.header_size);
  return view;
}

wire::OutgoingPacket make_datagram(const wire::Endpoint& source, const wire::Endpoint& destination,
                                   Slice payload) {
  wire::OutgoingPacket packet;
  packet.family = source.address.family();
  packet.ip_header_size = static_cast<uint16_t>(ip_header_size(packet.family));
  packet.header_size = static_cast<uint16_t>(packet.ip_header_size + kUdpHeaderSize);
  const size_t length = kUdpHeaderSize + payload.size();
  write_ip_header(packet.header.data(), source.address, destination.address, kProtocolUdp, length);
  std::byte* const udp = packet.header.data() + packet.ip_header_size;
  wire::store16(udp, source.port);
  wire::store16(udp + 2, destination.port);
  wire::store16(udp + 4, static_cast<uint16_t>(length));
  wire::store16(udp + 6, 0);
  wire::InternetChecksum sum = pseudo_header(source.address, destination.address, kProtocolUdp, length);
  sum.add({udp, kUdpHeaderSize});
  sum.add(payload.bytes());
  // RFC 768: 0 says that there is none.
  wire::store16(udp + 6, sum.checksum() != 0 ? sum.checksum() : 0xffff);
  if (!payload.empty()) packet.payload.push_back(std::move(payload));
  return packet;
}

wire::OutgoingPacket make_icmp(const wire::IpAddress& source, const wire::IpAddress& destination,
                               std::span<const std::byte> message, ChunkPool& pool) {
  wire::OutgoingPacket packet;
  packet.family = source.family();
  packet.header_size = packet.ip_header_size = static_cast<uint16_t>(ip_header_size(packet.family));
  const uint8_t protocol = source.is_v4() ? wire::kProtocolIcmp : wire::kProtocolIcmpV6;
  write_ip_header(packet.header.data(), source, destination, protocol, message.size());
  ChunkRef chunk = pool.allocate(message.size());
  std::memcpy(chunk->data(), message.data(), message.size());
  wire::store16(chunk->data() + 2, 0);
  wire::InternetChecksum sum;
  if (source.is_v6()) sum = pseudo_header(source, destination, protocol, message.size());
  sum.add({chunk->data(), message.size()});
  wire::store16(chunk->data() + 2, sum.checksum());
  packet.payload.push_back(Slice(std::move(chunk), 0, message.size()));
  return packet;
}

std::optional<Unreachable> unreachable_for(int error) {
  switch (error) {
    case ECONNREFUSED:
      return Unreachable::kPort;
    case ENETUNREACH:
    case ENETDOWN:
    case EADDRNOTAVAIL:
      return Unreachable::kNet;
    case EHOSTUNREACH:
    case EHOSTDOWN:
      return Unreachable::kHost;
    case EACCES:
    case EPERM:
      return Unreachable::kProhibited;
    case EMSGSIZE:
      return Unreachable::kTooBig;
    default:
      return std::nullopt;
  }
}

wire::OutgoingPacket make_unreachable(const PacketView& about, Unreachable why, uint32_t mtu,
                                      ChunkPool& pool) {
  std::array<std::byte, kIcmpHeaderSize + kMostQuoted> message{};
  const IcmpWords words = words_for(why, about.source.family());
  wire::store8(message.data(), words.type);
  wire::store8(message.data() + 1, words.code);
  if (why == Unreachable::kTooBig) wire::store32(message.data() + 4, mtu);
  const size_t quoted = std::min(about.packet.size(), kMostQuoted);
  std::memcpy(message.data() + kIcmpHeaderSize, about.packet.data(), quoted);
  return make_icmp(about.destination, about.source, std::span(message).first(kIcmpHeaderSize + quoted), pool);
}

Slice quote_datagram(const wire::Endpoint& source, const wire::Endpoint& destination, ChunkPool& pool) {
  const wire::OutgoingPacket packet = make_datagram(source, destination, {});
  return copy_to_slice(pool, packet.header_bytes());
}

}  // namespace braid::service
