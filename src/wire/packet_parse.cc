#include <optional>

#include "wire/byte_order.h"
#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/ip_header.h"
#include "wire/packet.h"
#include "wire/tcp_header.h"
#include "wire/tcp_options.h"

namespace braid::wire {

namespace {

bool is_checksum_good(const IpHeader& ip, std::span<const std::byte> tcp) {
  InternetChecksum sum = ip.pseudo_header(kProtocolTcp, tcp.size());
  sum.add(tcp);
  return sum.sum() == 0xffff;
}

std::optional<ParseError> parse_tcp(const ReceivedPacket& packet, const IpHeader& ip, TcpSegment& segment) {
  const auto tcp = packet.bytes.bytes().subspan(ip.header_size, ip.payload_size);
  if (tcp.size() < kTcpHeaderSize) return ParseError::kBadTcpHeader;
  const std::byte* at = tcp.data();
  const size_t header_size = (load8(at + TcpField::kDataOffset) >> 4) * 4u;
  if (header_size < kTcpHeaderSize || header_size > tcp.size()) return ParseError::kBadTcpHeader;
  if (packet.checksum == ChecksumState::kUnverified && !is_checksum_good(ip, tcp)) {
    return ParseError::kBadTcpChecksum;
  }
  segment.tuple.local.address = ip.destination();
  segment.tuple.local.port = load16(at + TcpField::kDestinationPort);
  segment.tuple.remote.address = ip.source();
  segment.tuple.remote.port = load16(at + TcpField::kSourcePort);
  segment.seq = Seq32(load32(at + TcpField::kSeq));
  segment.ack = Seq32(load32(at + TcpField::kAck));
  segment.flags = to_flags(load8(at + TcpField::kFlags));
  segment.window = load16(at + TcpField::kWindow);
  segment.urgent = load16(at + TcpField::kUrgent);
  segment.traffic_class = ip.traffic_class;
  segment.hop_limit = ip.hop_limit;
  if (header_size > kTcpHeaderSize) {
    parse_tcp_options(tcp.first(header_size).subspan(kTcpHeaderSize), segment.flags, segment.options);
  }
  const size_t payload_size = tcp.size() - header_size;
  if (payload_size > 0) {
    segment.payload = packet.bytes.sub(ip.header_size + header_size, payload_size);
    if (packet.gso_size > 0) {
      segment.segment_count = static_cast<uint16_t>((payload_size + packet.gso_size - 1) / packet.gso_size);
    }
  }
  return std::nullopt;
}

/// The two halves of parse_packet, each with one result that is made where the caller wants it.
ParsedPacket parse_tcp_packet(const ReceivedPacket& packet, const IpHeader& ip) {
  ParsedPacket result(std::in_place_type<TcpSegment>);
  if (const auto error = parse_tcp(packet, ip, *std::get_if<TcpSegment>(&result))) result = *error;
  return result;
}

ParsedPacket parse_icmp_packet(const ReceivedPacket& packet, const IpHeader& ip) {
  const auto message = packet.bytes.bytes().subspan(ip.header_size, ip.payload_size);
  return std::visit([](const auto& outcome) { return ParsedPacket(outcome); },
                    parse_icmp(ip, message, packet.checksum));
}

}  // namespace

ParsedPacket parse_packet(const ReceivedPacket& packet) {
  IpHeader ip;
  if (const auto error = parse_ip_header(packet.bytes.bytes(), IpContext::kPacket, ip)) return *error;
  if (ip.protocol == kProtocolTcp) return parse_tcp_packet(packet, ip);
  if (ip.protocol == (ip.family == Family::kV4 ? kProtocolIcmp : kProtocolIcmpV6)) {
    return parse_icmp_packet(packet, ip);
  }
  return ParseError::kNotTcp;
}

}  // namespace braid::wire
