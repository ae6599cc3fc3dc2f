// Bytes that can be made and checked at any position, so that a transfer of any length needs no copy of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace braid::sim {

class Pattern {
 public:
  explicit Pattern(uint64_t seed) : seed_(seed) {}

  std::byte at(uint64_t position) const {
    return static_cast<std::byte>(word(position / 8) >> (position % 8 * 8));
  }
  void fill(uint64_t position, std::span<std::byte> out) const {
    for (size_t i = 0; i < out.size();) {
      uint64_t bits = word((position + i) / 8) >> ((position + i) % 8 * 8);
      for (size_t left = 8 - (position + i) % 8; left > 0 && i < out.size(); --left, ++i, bits >>= 8) {
        out[i] = static_cast<std::byte>(bits);
      }
    }
  }
  bool matches(uint64_t position, std::span<const std::byte> bytes) const {
    for (size_t i = 0; i < bytes.size();) {
      uint64_t bits = word((position + i) / 8) >> ((position + i) % 8 * 8);
      for (size_t left = 8 - (position + i) % 8; left > 0 && i < bytes.size(); --left, ++i, bits >>= 8) {
        if (bytes[i] != static_cast<std::byte>(bits)) return false;
      }
    }
    return true;
  }

 private:
  uint64_t word(uint64_t index) const {
    uint64_t z = (index + seed_) * 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    return z ^ (z >> 27);
  }
  uint64_t seed_;
};

}  // namespace braid::sim
