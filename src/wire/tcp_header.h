// The fixed part of the TCP header (RFC 9293, 3.1): positions and flag bits.
#pragma once

#include <cstddef>
#include <cstdint>

#include "wire/tcp_segment.h"

namespace braid::wire {

/// Offsets of the fields, from the header's first octet.
struct TcpField {
  static constexpr size_t kSourcePort = 0, kDestinationPort = 2, kSeq = 4, kAck = 8, kDataOffset = 12,
                          kFlags = 13, kWindow = 14, kChecksum = 16, kUrgent = 18;
};

struct TcpFlagBit {
  static constexpr unsigned kFin = 0x01, kSyn = 0x02, kRst = 0x04, kPsh = 0x08, kAck = 0x10, kUrg = 0x20,
                            kEce = 0x40, kCwr = 0x80;
};

constexpr TcpFlags to_flags(unsigned bits) {
  TcpFlags flags;
  flags.fin = (bits & TcpFlagBit::kFin) != 0;
  flags.syn = (bits & TcpFlagBit::kSyn) != 0;
  flags.rst = (bits & TcpFlagBit::kRst) != 0;
  flags.psh = (bits & TcpFlagBit::kPsh) != 0;
  flags.ack = (bits & TcpFlagBit::kAck) != 0;
  flags.urg = (bits & TcpFlagBit::kUrg) != 0;
  flags.ece = (bits & TcpFlagBit::kEce) != 0;
  flags.cwr = (bits & TcpFlagBit::kCwr) != 0;
  return flags;
}

constexpr unsigned to_bits(const TcpFlags& flags) {
  return (flags.fin ? TcpFlagBit::kFin : 0) | (flags.syn ? TcpFlagBit::kSyn : 0) |
         (flags.rst ? TcpFlagBit::kRst : 0) | (flags.psh ? TcpFlagBit::kPsh : 0) |
         (flags.ack ? TcpFlagBit::kAck : 0) | (flags.urg ? TcpFlagBit::kUrg : 0) |
         (flags.ece ? TcpFlagBit::kEce : 0) | (flags.cwr ? TcpFlagBit::kCwr : 0);
}

}  // namespace braid::wire
