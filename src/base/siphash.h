// SipHash-2-4 (Aumasson and Bernstein, 2012): a short keyed hash that an outsider can neither predict nor
// invert. For what RFC 6528 and RFC 6056 want: initial sequence numbers, timestamp offsets, port offsets.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/random.h"

namespace braid {

class SipHash {
 public:
  struct Key {
    uint64_t k0 = 0, k1 = 0;
  };
  static Key random_key(RandomSource& random) {
    Key key;
    key.k0 = random.next64();
    key.k1 = random.next64();
    return key;
  }

  explicit SipHash(const Key& key)
      : v0_(key.k0 ^ 0x736f6d6570736575),
        v1_(key.k1 ^ 0x646f72616e646f6d),
        v2_(key.k0 ^ 0x6c7967656e657261),
        v3_(key.k1 ^ 0x7465646279746573) {}

  /// Adds octets; the pieces of one message need not be aligned.
  void add(std::span<const uint8_t> bytes) {
    for (const uint8_t byte : bytes) {
      word_ |= uint64_t{byte} << (8 * (size_ & 7));
      if ((++size_ & 7) == 0) absorb();
    }
  }
  void add16(uint16_t value) {
    const uint8_t bytes[] = {static_cast<uint8_t>(value >> 8), static_cast<uint8_t>(value)};
    add(bytes);
  }
  /// The hash of all that was added; the object is spent.
  uint64_t finish() {
    word_ |= size_ << 56;
    absorb();
    v2_ ^= 0xff;
    for (int i = 0; i < 4; ++i) round();
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

 private:
  void absorb() {
    v3_ ^= word_;
    round();
    round();
    v0_ ^= word_;
    word_ = 0;
  }
  void round() {
    v0_ += v1_, v1_ = std::rotl(v1_, 13) ^ v0_, v0_ = std::rotl(v0_, 32);
    v2_ += v3_, v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ += v3_, v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ += v1_, v1_ = std::rotl(v1_, 17) ^ v2_, v2_ = std::rotl(v2_, 32);
  }

  uint64_t v0_, v1_, v2_, v3_;
  uint64_t word_ = 0;
  uint64_t size_ = 0;
};

}  // namespace braid
