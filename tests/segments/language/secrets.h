// Keys and what follows from them (RFC 8684, 3.1, 3.2, 3.4.1; RFC 6824 with SHA-1): made here once more,
// apart from the engine's own, so that the two check each other.
#pragma once

#include <cstdint>
#include <vector>

namespace braid::segments {

/// What a key stands for. `version` 0 hashes by SHA-1, all others by SHA-256.
struct Secret {
  uint64_t key = 0;
  uint32_t token = 0;
  uint64_t idsn = 0;
};
Secret secret_of(uint64_t key, int version);

/// HMAC with the two keys, one after the other; all octets of it.
std::vector<uint8_t> hmac_of(int version, uint64_t first_key, uint64_t second_key,
                             const std::vector<uint8_t>& message);

}  // namespace braid::segments
