#include "io/system_random.h"

#include <openssl/rand.h>

#include "base/check.h"

namespace braid::io {

uint64_t SystemRandom::next64() {
  if (used_ == block_.size()) {
    const int result = RAND_bytes(reinterpret_cast<unsigned char*>(block_.data()), sizeof(block_));
    BRAID_CHECK(result == 1);  // going on with guessable keys would be worse than stopping
    used_ = 0;
  }
  const uint64_t bits = block_[used_];
  block_[used_++] = 0;  // a key is not left behind in memory longer than needed
  return bits;
}

}  // namespace braid::io
