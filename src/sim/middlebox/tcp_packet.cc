#include "sim/middlebox/tcp_packet.h"

#include <algorithm>
#include <cstring>

#include "wire/byte_order.h"
#include "wire/checksum.h"
#include "wire/ip_header.h"

namespace braid::sim {

namespace {
constexpr size_t kV4Addresses = 12, kV6Addresses = 8;
}

std::optional<TcpPacket> TcpPacket::open(Packet& packet, ChunkPool& pool) {
  wire::IpHeader ip;
  if (wire::parse_ip_header(packet.bytes.bytes(), wire::IpContext::kPacket, ip).has_value())
    return std::nullopt;
  if (ip.protocol != wire::kProtocolTcp || ip.payload_size < wire::kTcpHeaderSize) return std::nullopt;
  const std::byte* const header = packet.bytes.data() + ip.header_size;
  const size_t tcp_size = (wire::load8(header + wire::TcpField::kDataOffset) >> 4) * size_t{4};
  if (tcp_size < wire::kTcpHeaderSize || tcp_size > ip.payload_size) return std::nullopt;
  TcpPacket opened;
  opened.pool_ = &pool;
  opened.is_v4_ = ip.family == wire::Family::kV4;
  opened.ip_size_ = ip.header_size;
  opened.tcp_size_ = tcp_size;
  opened.size_ = ip.header_size + ip.payload_size;
  opened.packet_ = std::move(packet);
  opened.bytes_ = writable_bytes(opened.packet_, pool);
  opened.was_wrong_ = opened.packet_.checksum != wire::ChecksumState::kValid && opened.tcp_checksum() != 0;
  return opened;
}

Packet TcpPacket::close() && {
  finish_checksums();
  packet_.bytes.truncate(size_);
  return std::move(packet_);
}

wire::IpAddress TcpPacket::address(size_t index) const {
  if (is_v4_) return wire::IpAddress::v4(wire::load32(bytes_ + kV4Addresses + index * 4));
  std::array<uint8_t, 16> octets;
  std::memcpy(octets.data(), bytes_ + kV6Addresses + index * 16, octets.size());
  return wire::IpAddress::v6(octets);
}

void TcpPacket::set_endpoint(size_t index, const wire::Endpoint& endpoint) {
  const size_t size = is_v4_ ? 4 : 16;
  std::memcpy(bytes_ + (is_v4_ ? kV4Addresses : kV6Addresses) + index * size, endpoint.address.bytes().data(),
              size);
  wire::store16(tcp() + (index == 0 ? wire::TcpField::kSourcePort : wire::TcpField::kDestinationPort),
                endpoint.port);
}

void TcpPacket::set_payload(std::span<const std::byte> bytes) {
  const size_t headers = ip_size_ + tcp_size_, size = headers + bytes.size();
  ChunkRef chunk = pool_->allocate(size);
  std::memcpy(chunk->data(), bytes_, headers);
  if (!bytes.empty()) std::memcpy(chunk->data() + headers, bytes.data(), bytes.size());
  packet_.bytes = Slice(std::move(chunk), 0, size);
  bytes_ = writable_bytes(packet_, *pool_);
  size_ = size;
  if (is_v4_) {
    wire::store16(bytes_ + 2, static_cast<uint16_t>(size));
  } else {
    wire::store16(bytes_ + 4, static_cast<uint16_t>(size - wire::kIpv6HeaderSize));
  }
}

/// Over the whole segment with its checksum field: 0 if that is right.
uint16_t TcpPacket::tcp_checksum() const {
  wire::InternetChecksum sum;
  sum.add({bytes_ + (is_v4_ ? kV4Addresses : kV6Addresses), is_v4_ ? size_t{8} : size_t{32}});
  sum.add32(static_cast<uint32_t>(size_ - ip_size_));
  sum.add32(wire::kProtocolTcp);
  sum.add({tcp(), size_ - ip_size_});
  return sum.checksum();
}

void TcpPacket::finish_checksums() {
  if (is_v4_) {
    wire::store16(bytes_ + 10, 0);
    wire::store16(bytes_ + 10, wire::ipv4_header_checksum({bytes_, ip_size_}));
  }
  std::byte* const field = tcp() + wire::TcpField::kChecksum;
  wire::store16(field, 0);
  const uint16_t right = tcp_checksum();
  wire::store16(field, was_wrong_ ? static_cast<uint16_t>(right ^ 0x5555) : right);
}

void erase_option(std::span<std::byte> option) { std::fill(option.begin(), option.end(), std::byte{1}); }

}  // namespace braid::sim
