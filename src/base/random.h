// Random bits are passed in, like time: the engine never asks the system.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace braid {

/// A source of random bits. Live callers back it by the system's generator (keys, initial sequence numbers
/// and nonces need that), the simulator by a SeededRandom.
class RandomSource {
 public:
  virtual ~RandomSource() = default;
  virtual uint64_t next64() = 0;

  uint32_t next32() { return static_cast<uint32_t>(next64() >> 32); }
  /// Uniform in [0, bound); bound > 0.
  uint64_t below(uint64_t bound);
  /// Uniform in [0, 1).
  double unit() { return static_cast<double>(next64() >> 11) * 0x1.0p-53; }
  void fill(std::span<std::byte> out);
};

/// xoshiro256** (Blackman and Vigna, 2018), seeded through splitmix64. Deterministic on every machine;
/// not for secrets.
class SeededRandom final : public RandomSource {
 public:
  explicit SeededRandom(uint64_t seed);
  uint64_t next64() override;

 private:
  std::array<uint64_t, 4> state_;
};

}  // namespace braid
