// Bytes that can be made and checked at any position, so that a transfer of any length needs no copy of it.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace braid::sim {

class Pattern {
 public:
  explicit Pattern(uint64_t seed) : seed_(seed) {}

  std::byte at(uint64_t position) const {
    return static_cast<std::byte>(word(position / 8) >> (position % 8 * 8));
  }
  void fill(uint64_t position, std::span<std::byte> out) const {
    each_word(position, out.size(), [&](size_t at, uint64_t bits, auto size) {
      std::memcpy(&out[at], &bits, size);
      return true;
    });
  }
  bool matches(uint64_t position, std::span<const std::byte> bytes) const {
    return each_word(position, bytes.size(), [&](size_t at, uint64_t bits, auto size) {
      uint64_t there = 0;
      std::memcpy(&there, &bytes[at], size);
      return size == sizeof(there) ? there == bits : std::memcmp(&there, &bits, size) == 0;
    });
  }

 private:
  /// Calls `visit(offset, octets in the order of memory, how many)` for the words of a range, the first and
  /// the last of which may be parts; stops when one returns false. Whole words have a size that the compiler
  /// knows.
  template <class Visit>
  bool each_word(uint64_t position, size_t size, Visit visit) const {
    size_t at = 0;
    if (const size_t within = position % 8; within != 0) {
      const size_t n = size < 8 - within ? size : 8 - within;
      if (n > 0 && !visit(at, part(word(position / 8), within), n)) return false;
      at = n;
    }
    for (; at + 8 <= size; at += 8) {
      if (!visit(at, part(word((position + at) / 8), 0), std::integral_constant<size_t, 8>())) return false;
    }
    return at >= size || visit(at, part(word((position + at) / 8), 0), size - at);
  }
  /// The word without its first octets, in the order of memory.
  static uint64_t part(uint64_t word, size_t skipped) {
    word >>= skipped * 8;
    return std::endian::native == std::endian::little ? word : __builtin_bswap64(word);
  }
  uint64_t word(uint64_t index) const {
    uint64_t z = (index + seed_) * 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    return z ^ (z >> 27);
  }
  uint64_t seed_;
};

}  // namespace braid::sim
