#include "sim/middlebox/icmp_packet.h"

#include <cstring>
#include <variant>

#include "wire/byte_order.h"
#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/ip_header.h"
#include "wire/tcp_header.h"

namespace braid::sim {

namespace {

constexpr size_t kIcmpHeaderSize = 8, kIcmpChecksum = 2, kIpv4Checksum = 10;

/// RFC 1624: what is right stays right, what is wrong stays wrong.
void update_checksum(std::byte* field, const wire::InternetChecksum& removed,
                     const wire::InternetChecksum& added) {
  wire::InternetChecksum sum;
  sum.add16(static_cast<uint16_t>(~wire::load16(field)));
  sum.add16(static_cast<uint16_t>(~removed.sum()));
  sum.add16(added.sum());
  wire::store16(field, sum.checksum());
}

}  // namespace

std::optional<IcmpPacket> IcmpPacket::open(Packet& packet, ChunkPool& pool) {
  wire::IpHeader ip, inner;
  const auto bytes = packet.bytes.bytes();
  if (wire::parse_ip_header(bytes, wire::IpContext::kPacket, ip)) return std::nullopt;
  if (ip.protocol != (ip.family == wire::Family::kV4 ? wire::kProtocolIcmp : wire::kProtocolIcmpV6))
    return std::nullopt;
  const auto message = bytes.subspan(ip.header_size, ip.payload_size);
  const auto parsed = wire::parse_icmp(ip, message, packet.checksum);
  const auto* const error = std::get_if<wire::IcmpError>(&parsed);
  if (error == nullptr) return std::nullopt;
  const auto quoted = message.subspan(kIcmpHeaderSize);
  if (wire::parse_ip_header(quoted, wire::IpContext::kQuoted, inner)) return std::nullopt;

  IcmpPacket opened;
  opened.message_ = ip.header_size;
  opened.end_ = ip.header_size + ip.payload_size;
  opened.addresses_ = static_cast<size_t>(ip.addresses - bytes.data());
  opened.quoted_ip_ = opened.message_ + kIcmpHeaderSize;
  opened.quoted_addresses_ = static_cast<size_t>(inner.addresses - bytes.data());
  opened.quoted_tcp_ = opened.quoted_ip_ + inner.header_size;
  opened.quoted_ = error->tuple;
  opened.packet_ = std::move(packet);
  opened.bytes_ = writable_bytes(opened.packet_, pool);
  return opened;
}

Packet IcmpPacket::close() && {
  std::byte* const icmp = bytes_ + message_;
  wire::store16(icmp + kIcmpChecksum, 0);
  wire::InternetChecksum sum;
  if (!is_v4()) {
    sum.add({bytes_ + addresses_, 32});
    sum.add32(static_cast<uint32_t>(end_ - message_));
    sum.add32(wire::kProtocolIcmpV6);
  }
  sum.add({icmp, end_ - message_});
  wire::store16(icmp + kIcmpChecksum, sum.checksum());
  if (is_v4()) {
    wire::store16(bytes_ + kIpv4Checksum, 0);
    wire::store16(bytes_ + kIpv4Checksum, wire::ipv4_header_checksum({bytes_, message_}));
  }
  return std::move(packet_);
}

void IcmpPacket::set_address(size_t index, const wire::IpAddress& address) {
  std::memcpy(bytes_ + addresses_ + index * address.size(), address.bytes().data(), address.size());
}

void IcmpPacket::set_quoted(size_t index, const wire::Endpoint& endpoint) {
  const size_t size = endpoint.address.size();
  std::byte* const address = bytes_ + quoted_addresses_ + index * size;
  std::byte* const port = bytes_ + quoted_tcp_ + index * 2;
  wire::InternetChecksum removed, added;
  removed.add({address, size});
  std::memcpy(address, endpoint.address.bytes().data(), size);
  added.add({address, size});
  if (is_v4()) update_checksum(bytes_ + quoted_ip_ + kIpv4Checksum, removed, added);
  removed.add({port, 2});
  wire::store16(port, endpoint.port);
  added.add({port, 2});
  // Often the quotation ends before it.
  if (quoted_tcp_ + wire::TcpField::kChecksum + 2 <= end_)
    update_checksum(bytes_ + quoted_tcp_ + wire::TcpField::kChecksum, removed, added);
  (index == 0 ? quoted_.local : quoted_.remote) = endpoint;
}

}  // namespace braid::sim
