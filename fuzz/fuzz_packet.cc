// A packet from the network. The first octet says how it comes (bit 0: the device vouches for its checksum,
// bit 1: its IPv4 header checksum is put right, so that the search gets past it), the next two its gso_size,
// the rest is the packet. What parses as TCP is built and parsed again, and cut as a device would.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "base/check.h"
#include "base/chunk.h"
#include "wire/byte_order.h"
#include "wire/ip_header.h"
#include "wire/packet.h"
#include "wire/segmentation.h"

namespace {

using namespace braid;
using namespace braid::wire;

OutgoingSegment to_outgoing(const TcpSegment& segment) {
  OutgoingSegment out;
  out.tuple = {segment.tuple.remote, segment.tuple.local};
  out.seq = segment.seq;
  out.ack = segment.ack;
  out.flags = segment.flags;
  out.window = segment.window;
  out.traffic_class = segment.traffic_class;
  out.options = segment.options;
  out.options.malformed = out.options.malformed_mptcp = 0;
  out.options.has_md5_signature = false;
  // Padding may make the options longer than they came.
  while (out.options.encoded_size() > kMaxTcpOptionBytes) out.options.mptcp.pop_back();
  if (!segment.payload.empty()) out.payload.push_back(segment.payload);
  return out;
}

bool is_same(std::span<const std::byte> a, std::span<const std::byte> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

void check_rebuilt(const OutgoingSegment& sent, OffloadSupport offload, ChunkPool& pool) {
  OutgoingPacket packet;
  build_packet(sent, offload, 7, packet);
  const ParsedPacket parsed = parse_packet(flatten(packet, pool));
  const auto* got = std::get_if<TcpSegment>(&parsed);
  BRAID_CHECK(got != nullptr);
  BRAID_CHECK(got->tuple.local == sent.tuple.remote && got->tuple.remote == sent.tuple.local);
  BRAID_CHECK(got->seq == sent.seq && got->ack == sent.ack && got->flags == sent.flags);
  BRAID_CHECK(got->window == sent.window && got->traffic_class == sent.traffic_class);
  BRAID_CHECK(got->options == sent.options);
  BRAID_CHECK(got->payload.size() == sent.payload_size());
  if (!sent.payload.empty()) BRAID_CHECK(is_same(got->payload.bytes(), sent.payload[0].bytes()));
}

void check_cut(const ReceivedPacket& packet, const TcpSegment& whole, ChunkPool& pool) {
  size_t done = 0, pieces = 0;
  cut_packet(packet, pool, [&](const ReceivedPacket& piece) {
    // A piece that was made has a checksum of its own; what passed whole has the one that came.
    ReceivedPacket unverified = piece;
    if (whole.segment_count > 1) unverified.checksum = ChecksumState::kUnverified;
    const ParsedPacket parsed = parse_packet(unverified);
    const auto* part = std::get_if<TcpSegment>(&parsed);
    BRAID_CHECK(part != nullptr);
    BRAID_CHECK(part->options == whole.options);
    BRAID_CHECK(part->seq == whole.seq + static_cast<uint32_t>(done));
    BRAID_CHECK(is_same(part->payload.bytes(), whole.payload.sub(done, part->payload.size()).bytes()));
    done += part->payload.size();
    ++pieces;
  });
  BRAID_CHECK(done == whole.payload.size());
  BRAID_CHECK(pieces == whole.segment_count);
}

void put_ipv4_checksum_right(std::span<std::byte> bytes) {
  if (bytes.size() < kIpv4HeaderSize || load8(bytes.data()) >> 4 != 4) return;
  const size_t size = (load8(bytes.data()) & 0xfu) * 4u;
  if (size < kIpv4HeaderSize || size > bytes.size()) return;
  store16(bytes.data() + 10, 0);
  store16(bytes.data() + 10, ipv4_header_checksum(bytes.first(size)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kPrefix = 3, kMaxPacket = 65535;
  if (size < kPrefix || size > kPrefix + kMaxPacket) return 0;
  ChunkPool pool;
  const auto input = std::as_bytes(std::span(data, size)).subspan(kPrefix);
  // A chunk is larger than the packet in it, so the packet is put at its end: a read past it is one past the
  // chunk.
  ChunkRef chunk = pool.allocate(input.size());
  const size_t offset = chunk->capacity() - input.size();
  std::copy(input.begin(), input.end(), chunk->data() + offset);
  if ((data[0] & 2) != 0) put_ipv4_checksum_right({chunk->data() + offset, input.size()});
  ReceivedPacket packet;
  packet.bytes = Slice(chunk, offset, input.size());
  packet.gso_size = static_cast<uint16_t>(data[1] << 8 | data[2]);
  packet.checksum = (data[0] & 1) != 0 ? ChecksumState::kValid : ChecksumState::kUnverified;

  const ParsedPacket parsed = parse_packet(packet);
  const auto* segment = std::get_if<TcpSegment>(&parsed);
  if (segment == nullptr) return 0;
  const OutgoingSegment outgoing = to_outgoing(*segment);
  for (const auto offload : {OffloadSupport::kNone, OffloadSupport::kChecksum, OffloadSupport::kFull}) {
    check_rebuilt(outgoing, offload, pool);
  }
  check_cut(packet, *segment, pool);
  return 0;
}
