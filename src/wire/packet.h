// Whole IP packets: what a driver hands in, what it is given, and the way between those and TCP segments.
#pragma once

#include <array>
#include <boost/container/static_vector.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>

#include "base/chunk.h"
#include "wire/tcp_segment.h"

namespace braid::wire {

/// The largest super-segment's IP packet: 44 x 1460 + 40. Devices pass up to 65,521 octets as one; beyond
/// that they cut in software.
inline constexpr size_t kMaxSuperSegmentPayload = 64'240;

enum class ChecksumState : uint8_t {
  kUnverified,  // verify it
  kValid,       // the device vouches for it (or it never left this machine)
};

/// A packet as a driver received it: one IP packet, maybe a coalesced one.
struct ReceivedPacket {
  Slice bytes;            // from the IP header on
  uint16_t gso_size = 0;  // payload octets per original segment if coalesced, else 0
  ChecksumState checksum = ChecksumState::kUnverified;
};

/// A packet for a driver to send: headers in place, payload as slices (gather them; nothing is copied
/// before).
struct OutgoingPacket {
  static constexpr size_t kMaxHeader = 40 + 20 + kMaxTcpOptionBytes;
  std::array<std::byte, kMaxHeader> header;
  uint16_t header_size = 0;     // IP and TCP headers with options
  uint16_t ip_header_size = 0;  // where the TCP header starts
  Family family = Family::kV4;
  /// Payload octets per segment if the device is to cut it (then header holds the uncut lengths), else 0.
  uint16_t gso_size = 0;
  /// The TCP checksum field holds only the pseudo header's sum (not inverted); the device is to finish it,
  /// as virtio's NEEDS_CSUM wants it. False: the packet is complete.
  bool is_checksum_partial = false;
  boost::container::static_vector<Slice, 16> payload;

  std::span<const std::byte> header_bytes() const { return {header.data(), header_size}; }
  size_t payload_size() const {
    size_t total = 0;
    for (const Slice& s : payload) total += s.size();
    return total;
  }
  size_t size() const { return header_size + payload_size(); }
};

/// Who takes packets: a driver, a simulated link, a test.
class PacketSink {
 public:
  virtual ~PacketSink() = default;
  /// The packet may be moved from.
  virtual void send(OutgoingPacket& packet) = 0;
};

enum class OffloadSupport : uint8_t {
  kNone,      // whole checksums, packets cut to MSS
  kChecksum,  // partial checksums
  kFull,      // partial checksums and uncut super-segments
};

/// Builds the IP packet for a segment. With kFull the super-segment stays whole; otherwise the caller cuts it
/// with cut_super_segment() first. `identification`: the IPv4 ID. Don't Fragment is set (path MTU discovery).
void build_packet(const OutgoingSegment& segment, OffloadSupport offload, uint16_t identification,
                  OutgoingPacket& packet);

/// Cuts a super-segment as a device would: payload pieces of `mss`, options copied to each, sequence numbers
/// advanced, FIN and PSH only on the last, CWR only on the first. Calls `emit` for each piece.
template <class Emit>
void cut_super_segment(const OutgoingSegment& segment, Emit&& emit) {
  const size_t total = segment.payload_size();
  if (segment.mss == 0 || total <= segment.mss) {
    emit(segment);
    return;
  }
  OutgoingSegment piece = segment;
  size_t slice = 0, within = 0;
  for (size_t done = 0; done < total;) {
    piece.payload.clear();
    size_t room = segment.mss;
    while (room > 0 && slice < segment.payload.size()) {
      const Slice& from = segment.payload[slice];
      const size_t n = from.size() - within < room ? from.size() - within : room;
      if (n > 0) piece.payload.push_back(from.sub(within, n));
      within += n;
      room -= n;
      if (within == from.size()) ++slice, within = 0;
    }
    piece.seq = segment.seq + static_cast<uint32_t>(done);
    const bool is_first = done == 0;
    done += segment.mss - room;
    const bool is_last = done >= total;
    piece.flags.fin = segment.flags.fin && is_last;
    piece.flags.psh = segment.flags.psh && is_last;
    piece.flags.cwr = segment.flags.cwr && is_first;
    emit(static_cast<const OutgoingSegment&>(piece));
  }
}

/// What an ICMP or ICMPv6 error says about a segment of ours (RFC 792, 1191, 4443, 8201; RFC 5927 for the
/// checks that the receiver of it owes).
enum class IcmpErrorKind : uint8_t {
  kNetUnreachable,
  kHostUnreachable,
  kPortUnreachable,
  kProtocolUnreachable,
  kAdministrativelyProhibited,
  kPacketTooBig,
  kTimeExceeded,
  kOther,
};
struct IcmpError {
  IcmpErrorKind kind = IcmpErrorKind::kOther;
  uint32_t mtu = 0;  // kPacketTooBig: the next hop's, 0 if it did not say
  FourTuple tuple;   // of the quoted segment, which we sent: local = its source
  Seq32 seq;         // its sequence number
};

/// Why a packet was dropped; counted by name.
enum class ParseError : uint8_t {
  kTruncated,
  kBadVersion,
  kBadHeaderLength,
  kBadIpChecksum,
  kFragment,
  kNotTcp,
  kBadTcpHeader,
  kBadTcpChecksum,
  kBadIcmp,
};

using ParsedPacket = std::variant<TcpSegment, IcmpError, ParseError>;

/// Parses a received packet; never reads beyond it, whatever it claims.
/// IPv6 extension headers are skipped (RFC 8200), fragments refused.
ParsedPacket parse_packet(const ReceivedPacket& packet);

/// The whole outgoing packet as one received elsewhere: for simulated links and tests. Copies header and
/// payload into one chunk of `pool`, finishes a partial checksum.
ReceivedPacket flatten(const OutgoingPacket& packet, ChunkPool& pool);

}  // namespace braid::wire
