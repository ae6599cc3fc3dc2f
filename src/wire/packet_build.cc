#include <cstring>

#include "base/check.h"
#include "wire/byte_order.h"
#include "wire/checksum.h"
#include "wire/ip_header.h"
#include "wire/packet.h"
#include "wire/tcp_header.h"

namespace braid::wire {

namespace {

constexpr uint16_t kDontFragment = 0x4000;
constexpr size_t kMaxIpPayload = 65535;

void write_ipv4(const OutgoingSegment& segment, uint16_t identification, size_t tcp_size, std::byte* at) {
  const size_t total = kIpv4HeaderSize + tcp_size;
  BRAID_CHECK(total <= kMaxIpPayload);
  store8(at, 0x45);
  store8(at + 1, segment.traffic_class);
  store16(at + 2, static_cast<uint16_t>(total));
  store16(at + 4, identification);
  store16(at + 6, kDontFragment);
  store8(at + 8, segment.hop_limit);
  store8(at + 9, kProtocolTcp);
  store16(at + 10, 0);
  std::memcpy(at + 12, segment.tuple.local.address.bytes().data(), 4);
  std::memcpy(at + 16, segment.tuple.remote.address.bytes().data(), 4);
  store16(at + 10, ipv4_header_checksum({at, kIpv4HeaderSize}));
}

void write_ipv6(const OutgoingSegment& segment, size_t tcp_size, std::byte* at) {
  BRAID_CHECK(tcp_size <= kMaxIpPayload);
  store32(at, 0x60000000u | uint32_t{segment.traffic_class} << 20);
  store16(at + 4, static_cast<uint16_t>(tcp_size));
  store8(at + 6, kProtocolTcp);
  store8(at + 7, segment.hop_limit);
  std::memcpy(at + 8, segment.tuple.local.address.bytes().data(), 16);
  std::memcpy(at + 24, segment.tuple.remote.address.bytes().data(), 16);
}

/// The header with its checksum field 0.
void write_tcp(const OutgoingSegment& segment, size_t header_size, std::byte* at) {
  store16(at + TcpField::kSourcePort, segment.tuple.local.port);
  store16(at + TcpField::kDestinationPort, segment.tuple.remote.port);
  store32(at + TcpField::kSeq, segment.seq.value());
  store32(at + TcpField::kAck, segment.ack.value());
  store8(at + TcpField::kDataOffset, static_cast<unsigned>(header_size / 4) << 4);
  store8(at + TcpField::kFlags, to_bits(segment.flags));
  store16(at + TcpField::kWindow, segment.window);
  store16(at + TcpField::kChecksum, 0);
  store16(at + TcpField::kUrgent, 0);
  segment.options.encode({at + kTcpHeaderSize, header_size - kTcpHeaderSize});
}

}  // namespace

void build_packet(const OutgoingSegment& segment, OffloadSupport offload, uint16_t identification,
                  OutgoingPacket& packet) {
  const size_t options_size = segment.options.encoded_size();
  BRAID_CHECK(options_size <= kMaxTcpOptionBytes);
  const IpAddress& source = segment.tuple.local.address;
  const IpAddress& destination = segment.tuple.remote.address;
  BRAID_CHECK(source.family() == destination.family());

  packet.payload = segment.payload;
  const size_t payload_size = packet.payload_size();
  const size_t header_size = kTcpHeaderSize + options_size;
  const size_t tcp_size = header_size + payload_size;
  packet.family = source.family();
  packet.ip_header_size = source.is_v4() ? kIpv4HeaderSize : kIpv6HeaderSize;
  packet.header_size = static_cast<uint16_t>(packet.ip_header_size + header_size);
  const bool is_to_be_cut = offload == OffloadSupport::kFull && segment.mss > 0 && payload_size > segment.mss;
  packet.gso_size = is_to_be_cut ? segment.mss : 0;
  packet.is_checksum_partial = offload != OffloadSupport::kNone;

  if (source.is_v4()) {
    write_ipv4(segment, identification, tcp_size, packet.header.data());
  } else {
    write_ipv6(segment, tcp_size, packet.header.data());
  }
  std::byte* tcp = packet.header.data() + packet.ip_header_size;
  write_tcp(segment, header_size, tcp);
  InternetChecksum sum = pseudo_header(source, destination, static_cast<uint32_t>(tcp_size));
  if (packet.is_checksum_partial) {
    store16(tcp + TcpField::kChecksum, sum.sum());
    return;
  }
  sum.add({tcp, header_size});
  for (const Slice& slice : packet.payload) sum.add(slice.bytes());
  store16(tcp + TcpField::kChecksum, sum.checksum());
}

ReceivedPacket flatten(const OutgoingPacket& packet, ChunkPool& pool) {
  const size_t size = packet.size();
  ChunkRef chunk = pool.allocate(size);
  std::byte* const start = chunk->data();
  std::memcpy(start, packet.header.data(), packet.header_size);
  std::byte* at = start + packet.header_size;
  if (packet.is_checksum_partial) {
    // The field already holds the pseudo header's sum, so the sum over all of it is the whole one.
    std::byte* const tcp = start + packet.ip_header_size;
    InternetChecksum sum;
    sum.add({tcp, static_cast<size_t>(packet.header_size - packet.ip_header_size)});
    for (const Slice& slice : packet.payload) {
      sum.add_copy(slice.bytes(), at);
      at += slice.size();
    }
    store16(tcp + TcpField::kChecksum, sum.checksum());
  } else {
    for (const Slice& slice : packet.payload) {
      if (!slice.empty()) std::memcpy(at, slice.data(), slice.size());
      at += slice.size();
    }
  }
  ReceivedPacket received;
  received.bytes = Slice(std::move(chunk), 0, size);
  received.gso_size = packet.gso_size;
  return received;
}

}  // namespace braid::wire
