#include "wire/segmentation.h"

#include <algorithm>
#include <cstring>

#include "wire/byte_order.h"
#include "wire/checksum.h"
#include "wire/ip_header.h"
#include "wire/tcp_header.h"

namespace braid::wire {

PacketCutter::PacketCutter(const ReceivedPacket& packet, ChunkPool& pool) : packet_(packet), pool_(pool) {
  const auto bytes = packet.bytes.bytes();
  if (packet.gso_size == 0 || parse_ip_header(bytes, IpContext::kPacket, ip_)) return;
  if (ip_.protocol != kProtocolTcp || ip_.payload_size < kTcpHeaderSize) return;
  const auto tcp = bytes.subspan(ip_.header_size, ip_.payload_size);
  const size_t tcp_header_size = (load8(tcp.data() + TcpField::kDataOffset) >> 4) * 4u;
  if (tcp_header_size < kTcpHeaderSize || tcp_header_size > tcp.size()) return;
  if (tcp.size() - tcp_header_size <= packet.gso_size) return;

  header_size_ = ip_.header_size + tcp_header_size;
  payload_size_ = tcp.size() - tcp_header_size;
  piece_payload_ = packet.gso_size;
  if (packet.checksum == ChecksumState::kUnverified) {
    InternetChecksum sum = ip_.pseudo_header(kProtocolTcp, tcp.size());
    sum.add(tcp);
    is_corrupt_ = sum.sum() != 0xffff;
  }
}

std::optional<ReceivedPacket> PacketCutter::next() {
  if (is_finished_) return std::nullopt;
  if (piece_payload_ == 0) {
    is_finished_ = true;
    ReceivedPacket whole = packet_;
    whole.gso_size = 0;
    return whole;
  }
  const size_t payload = std::min(piece_payload_, payload_size_ - done_);
  const size_t size = header_size_ + payload;
  ChunkRef chunk = pool_.allocate(size);
  std::byte* const at = chunk->data();
  const auto from = packet_.bytes.bytes();
  std::memcpy(at, from.data(), header_size_);
  write_ip_header(at, size);

  std::byte* const tcp = at + ip_.header_size;
  store32(tcp + TcpField::kSeq, load32(tcp + TcpField::kSeq) + static_cast<uint32_t>(done_));
  unsigned flags = load8(tcp + TcpField::kFlags);
  if (done_ > 0) flags &= ~TcpFlagBit::kCwr;
  if (done_ + payload < payload_size_) flags &= ~(TcpFlagBit::kFin | TcpFlagBit::kPsh);
  store8(tcp + TcpField::kFlags, flags);
  store16(tcp + TcpField::kChecksum, 0);
  InternetChecksum sum = ip_.pseudo_header(kProtocolTcp, size - ip_.header_size);
  sum.add({tcp, header_size_ - ip_.header_size});
  sum.add_copy(from.subspan(header_size_ + done_, payload), at + header_size_);
  store16(tcp + TcpField::kChecksum, is_corrupt_ ? sum.checksum() ^ 1 : sum.checksum());

  done_ += payload;
  ++index_;
  is_finished_ = done_ == payload_size_;
  ReceivedPacket piece;
  piece.bytes = Slice(std::move(chunk), 0, size);
  piece.checksum = packet_.checksum;
  return piece;
}

void PacketCutter::write_ip_header(std::byte* at, size_t piece_size) const {
  if (ip_.family == Family::kV6) {
    store16(at + 4, static_cast<uint16_t>(piece_size - kIpv6HeaderSize));
    return;
  }
  store16(at + 2, static_cast<uint16_t>(piece_size));
  store16(at + 4, static_cast<uint16_t>(load16(at + 4) + index_));
  store16(at + 10, 0);
  store16(at + 10, ipv4_header_checksum({at, ip_.header_size}));
}

}  // namespace braid::wire
