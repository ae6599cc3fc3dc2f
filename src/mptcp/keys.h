// Keys, tokens, initial data sequence numbers and HMACs of RFC 8684 (3.1, 3.2, 3.4.1), over OpenSSL. Version
// 0 (RFC 6824) has SHA-1 where version 1 has SHA-256.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/random.h"
#include "wire/address.h"

namespace braid::mptcp {

using Key = uint64_t;    // as on the wire read big-endian
using Token = uint32_t;  // most significant 32 bits of the key's hash

/// Of the protocol: 0 is RFC 6824, 1 is RFC 8684.
enum class Version : uint8_t { kV0 = 0, kV1 = 1 };

struct KeyMaterial {
  Key key = 0;
  Token token = 0;
  uint64_t idsn = 0;  // least significant 64 bits of the key's hash
};
KeyMaterial derive(Key key, Version version = Version::kV1);

/// HMAC(key_first || key_second, nonce_first || nonce_second): the MP_JOIN HMAC (3.2). Version 0's has 20
/// octets; the rest is 0.
std::array<std::byte, 32> join_hmac(Key first, Key second, uint32_t nonce_first, uint32_t nonce_second,
                                    Version version = Version::kV1);
/// Leftmost 64 bits, as in the SYN/ACK.
uint64_t truncate64(const std::array<std::byte, 32>& hmac);
/// Leftmost 160 bits, as in the third ACK.
std::array<std::byte, 20> truncate160(const std::array<std::byte, 32>& hmac);
/// HMAC-SHA256(sender_key || receiver_key, id || address || port), rightmost 64 bits (3.4.1). Port 0 if not
/// announced. Version 0 has none.
uint64_t add_addr_hmac(Key sender, Key receiver, uint8_t address_id, const wire::IpAddress& address,
                       uint16_t port);

/// Keys are a hash each; a pool of them, filled in idle time, takes that off the SYN's path (NSDI 2012, 5.2).
class KeyPool {
 public:
  explicit KeyPool(RandomSource& random, size_t size = 64);
  KeyMaterial take();
  void refill();

 private:
  RandomSource& random_;
  std::array<KeyMaterial, 256> keys_;
  size_t size_, count_ = 0;
};

}  // namespace braid::mptcp
