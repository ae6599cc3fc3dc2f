// The system's cryptographic generator as a RandomSource: keys, nonces and initial sequence numbers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/random.h"

namespace braid::io {

/// OpenSSL's generator, drawn in blocks. One thread. After fork() a child must make its own.
class SystemRandom final : public RandomSource {
 public:
  uint64_t next64() override;

 private:
  std::array<uint64_t, 64> block_{};
  size_t used_ = block_.size();
};

}  // namespace braid::io
