#include "base/random.h"

#include <bit>
#include <cstring>

namespace braid {

uint64_t RandomSource::below(uint64_t bound) {
  // Lemire's multiply-and-shift; the bias is below 2^-32 for the bounds used here.
  __extension__ using Wide = unsigned __int128;
  return static_cast<uint64_t>((static_cast<Wide>(next64()) * bound) >> 64);
}

void RandomSource::fill(std::span<std::byte> out) {
  while (!out.empty()) {
    const uint64_t bits = next64();
    const size_t n = out.size() < sizeof(bits) ? out.size() : sizeof(bits);
    std::memcpy(out.data(), &bits, n);
    out = out.subspan(n);
  }
}

SeededRandom::SeededRandom(uint64_t seed) {
  for (uint64_t& word : state_) {
    seed += 0x9e3779b97f4a7c15;
    uint64_t z = seed;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    word = z ^ (z >> 31);
  }
}

uint64_t SeededRandom::next64() {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

}  // namespace braid
