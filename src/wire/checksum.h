// The Internet checksum (RFC 1071): TCP's, IP's, and the DSS option's (RFC 8684, 3.3.1).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "wire/address.h"
#include "wire/byte_order.h"

namespace braid::wire {

inline constexpr uint8_t kProtocolIcmp = 1;
inline constexpr uint8_t kProtocolTcp = 6;
inline constexpr uint8_t kProtocolIcmpV6 = 58;

// Inside, sums are ones' complement sums of 16-bit words in the machine's own byte order, which RFC 1071
// (2.B) allows: one swap at the end puts it right. 2^16 - 1 divides 2^64 - 1, so 64 bits with end-around
// carry are a sum of 16-bit words too, and rotating by 8 moves it to odd positions. Such a sum is 0 only if
// all its words are.

constexpr uint64_t add_carry(uint64_t a, uint64_t b) {
  const uint64_t sum = a + b;
  return sum + (sum < b ? 1 : 0);
}

constexpr uint16_t fold_sum(uint64_t sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

/// A ones' complement sum in progress. Parts may have any length and are put together in order, odd ones too.
/// Uses AVX2 where the processor has it: about 0.01 ns an octet.
class InternetChecksum {
 public:
  void add(std::span<const std::byte> bytes);
  void add16(uint16_t host_order) { add_part(to_network(host_order), 2); }
  void add32(uint32_t host_order) { add_part(to_network(host_order), 4); }
  void add64(uint64_t host_order) { add_part(to_network(host_order), 8); }
  /// Copies `from` to `to` (same length) and adds it, in one pass.
  void add_copy(std::span<const std::byte> from, std::byte* to);
  /// Adds another sum, whose octets follow ours.
  void append(const InternetChecksum& next) { add_part(next.sum_, next.size_); }
  /// Folded to 16 bits, not inverted, host order.
  uint16_t sum() const { return to_network(fold_sum(sum_)); }
  /// What goes in the header: sum() inverted, host order.
  uint16_t checksum() const { return static_cast<uint16_t>(~sum()); }
  /// Octets added so far.
  uint64_t size() const { return size_; }

 private:
  void add_part(uint64_t sum, uint64_t size) {
    sum_ = add_carry(sum_, size_ % 2 == 0 ? sum : std::rotl(sum, 8));
    size_ += size;
  }

  uint64_t sum_ = 0;
  uint64_t size_ = 0;
};

/// The pseudo header of TCP over IPv4 and IPv6 (RFC 9293, 3.1; RFC 8200, 8.1).
InternetChecksum pseudo_header(const IpAddress& source, const IpAddress& destination, uint32_t tcp_length);

}  // namespace braid::wire
