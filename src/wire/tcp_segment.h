// TCP header and options (RFC 9293, 3.1; RFC 7323; RFC 2018; RFC 7413) as a representation.
#pragma once

#include <algorithm>
#include <array>
#include <boost/container/static_vector.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/chunk.h"
#include "base/sequence.h"
#include "wire/address.h"
#include "wire/mptcp_options.h"

namespace braid::wire {

inline constexpr size_t kTcpHeaderSize = 20;
inline constexpr size_t kMaxTcpOptionBytes = 40;

struct TcpFlags {
  bool fin = false, syn = false, rst = false, psh = false, ack = false, urg = false, ece = false, cwr = false;
  bool operator==(const TcpFlags&) const = default;
};

struct SackBlock {
  Seq32 begin;  // first sequence number of the block
  Seq32 end;    // one past its last
  bool operator==(const SackBlock&) const = default;
};

struct Timestamps {
  uint32_t value = 0;  // TSval
  uint32_t echo = 0;   // TSecr
  bool operator==(const Timestamps&) const = default;
};

/// A Fast Open cookie (RFC 7413, 2): 4 to 16 octets, an even number of them; none at all asks for one.
struct FastOpenCookie {
  static constexpr size_t kMinSize = 4, kMaxSize = 16;
  uint8_t size = 0;
  std::array<std::byte, kMaxSize> storage{};  // zeros beyond `size`

  static constexpr bool is_size(size_t n) { return n >= kMinSize && n <= kMaxSize && n % 2 == 0; }
  /// `bytes` has a size that a cookie may have, or is empty.
  static FastOpenCookie of(std::span<const std::byte> bytes) {
    FastOpenCookie cookie;
    cookie.size = static_cast<uint8_t>(bytes.size());
    std::ranges::copy(bytes, cookie.storage.begin());
    return cookie;
  }
  bool is_request() const { return size == 0; }
  std::span<const std::byte> bytes() const { return {storage.data(), size}; }
  bool operator==(const FastOpenCookie&) const = default;
};

/// The options of one segment: gives both its size and its bytes, so the 40-octet budget and what is written
/// cannot disagree.
struct TcpOptions {
  std::optional<uint16_t> mss;
  std::optional<uint8_t> window_scale;  // as received, maybe over 14
  bool sack_permitted = false;
  std::optional<Timestamps> timestamps;
  boost::container::static_vector<SackBlock, 4> sack;
  MptcpOptions mptcp;
  std::optional<FastOpenCookie> fast_open;
  bool has_md5_signature = false;  // seen on input only (RFC 2385)
  /// Seen on input only: options that were malformed (bad length, MPTCP structure) and were skipped.
  uint8_t malformed = 0;
  uint8_t malformed_mptcp = 0;

  /// Octets on the wire, padded to a multiple of four. May exceed 40: the caller checks before it sends.
  size_t encoded_size() const;
  /// Writes encoded_size() octets.
  size_t encode(std::span<std::byte> out) const;
  bool operator==(const TcpOptions&) const = default;
};

/// A TCP segment that came in: parsed header, and the payload as a slice of the packet.
struct TcpSegment {
  TcpSegment() {}  // not "= default": TcpSegment() would then write zeros over all the room for options

  FourTuple tuple;  // local = destination, remote = source: as seen by the receiver
  Seq32 seq;
  Seq32 ack;
  TcpFlags flags;
  uint16_t window = 0;  // as on the wire, unscaled
  uint16_t urgent = 0;
  uint8_t traffic_class = 0;  // DSCP and ECN bits of the IP header
  uint8_t hop_limit = 0;      // what was left of it
  TcpOptions options;
  Slice payload;
  /// How many segments on the wire this was (receive offload coalesces); 1 if it was not.
  uint16_t segment_count = 1;

  /// Octets of sequence space: payload, SYN and FIN.
  uint32_t sequence_length() const {
    return static_cast<uint32_t>(payload.size()) + (flags.syn ? 1 : 0) + (flags.fin ? 1 : 0);
  }
};

/// A segment to send: header fields, options, payload as slices of the send buffer.
struct OutgoingSegment {
  FourTuple tuple;  // local = source
  Seq32 seq;
  Seq32 ack;
  TcpFlags flags;
  uint16_t window = 0;
  TcpOptions options;
  boost::container::static_vector<Slice, 16> payload;
  /// Payload octets per segment on the wire: a payload larger than this is a super-segment, to be cut by the
  /// device, the link or Host. 0: must not be cut.
  uint16_t mss = 0;
  uint8_t traffic_class = 0;
  uint8_t hop_limit = 64;  // IPv4's time to live

  size_t payload_size() const {
    size_t total = 0;
    for (const Slice& s : payload) total += s.size();
    return total;
  }
};

}  // namespace braid::wire
