#include "segments/language/secrets.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/check.h"
#include "segments/language/octets.h"

namespace braid::segments {

namespace {
const EVP_MD* digest_of(int version) { return version == 0 ? EVP_sha1() : EVP_sha256(); }
}  // namespace

Secret secret_of(uint64_t key, int version) {
  std::vector<uint8_t> input;
  put64(input, key);
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  BRAID_CHECK(EVP_Digest(input.data(), input.size(), hash, &size, digest_of(version), nullptr) == 1);
  const std::vector<uint8_t> bytes(hash, hash + size);
  return {.key = key, .token = static_cast<uint32_t>(get(bytes, 0, 4)), .idsn = get(bytes, size - 8, 8)};
}

std::vector<uint8_t> hmac_of(int version, uint64_t first_key, uint64_t second_key,
                             const std::vector<uint8_t>& message) {
  std::vector<uint8_t> key;
  put64(key, first_key);
  put64(key, second_key);
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  BRAID_CHECK(HMAC(digest_of(version), key.data(), static_cast<int>(key.size()), message.data(),
                   message.size(), hash, &size) != nullptr);
  return {hash, hash + size};
}

}  // namespace braid::segments
