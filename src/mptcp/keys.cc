#include "mptcp/keys.h"

#include <openssl/evp.h>

#include <algorithm>
#include <span>

#include "base/check.h"

namespace braid::mptcp {

namespace {

using Digest = std::array<std::byte, 32>;  // SHA-1 leaves the last 12 octets 0

/// A hash with what OpenSSL wants to look up and allocate looked up and allocated once a thread: a one-shot
/// call costs more than the hash itself.
class Hash {
 public:
  Hash(const char* name, size_t size)
      : size_(size), algorithm_(EVP_MD_fetch(nullptr, name, nullptr)), context_(EVP_MD_CTX_new()) {
    BRAID_CHECK(algorithm_ != nullptr && context_ != nullptr);
  }
  ~Hash() {
    EVP_MD_CTX_free(context_);
    EVP_MD_free(algorithm_);
  }
  Hash(const Hash&) = delete;
  Hash& operator=(const Hash&) = delete;

  size_t size() const { return size_; }
  Digest operator()(std::span<const std::byte> first, std::span<const std::byte> second = {}) {
    Digest digest{};
    unsigned size = 0;
    const bool ok = EVP_DigestInit_ex2(context_, algorithm_, nullptr) == 1 &&
                    EVP_DigestUpdate(context_, first.data(), first.size()) == 1 &&
                    (second.empty() || EVP_DigestUpdate(context_, second.data(), second.size()) == 1) &&
                    EVP_DigestFinal_ex(context_, reinterpret_cast<unsigned char*>(digest.data()), &size) == 1;
    BRAID_CHECK(ok && size == size_);
    return digest;
  }

 private:
  size_t size_;
  EVP_MD* algorithm_;
  EVP_MD_CTX* context_;
};

Hash& hash_of(Version version) {
  if (version == Version::kV0) {
    thread_local Hash sha1("SHA1", 20);
    return sha1;
  }
  thread_local Hash sha256("SHA256", 32);
  return sha256;
}

template <class T>
std::byte* put(std::byte* out, T value) {
  for (size_t i = 0; i < sizeof(T); ++i)
    out[i] = static_cast<std::byte>(static_cast<uint8_t>(value >> (8 * (sizeof(T) - 1 - i))));
  return out + sizeof(T);
}

template <class T>
T get(const std::byte* in) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>(value << 8 | std::to_integer<T>(in[i]));
  return value;
}

/// RFC 2104, for the one key length there is here: both keys, 16 octets. The block of both hashes has 64.
Digest hmac(Key first, Key second, std::span<const std::byte> message, Version version) {
  constexpr size_t kBlock = 64;
  std::array<std::byte, kBlock> inner_pad{};
  put(put(inner_pad.data(), first), second);
  std::array<std::byte, kBlock> outer_pad = inner_pad;
  for (std::byte& b : inner_pad) b ^= std::byte{0x36};
  for (std::byte& b : outer_pad) b ^= std::byte{0x5c};
  Hash& hash = hash_of(version);
  const Digest inner = hash(inner_pad, message);
  return hash(outer_pad, std::span(inner).first(hash.size()));
}

}  // namespace

KeyMaterial derive(Key key, Version version) {
  std::array<std::byte, 8> wire;
  put(wire.data(), key);
  Hash& hash = hash_of(version);
  const Digest digest = hash(wire);
  return {.key = key,
          .token = get<Token>(digest.data()),
          .idsn = get<uint64_t>(digest.data() + hash.size() - sizeof(uint64_t))};
}

std::array<std::byte, 32> join_hmac(Key first, Key second, uint32_t nonce_first, uint32_t nonce_second,
                                    Version version) {
  std::array<std::byte, 8> message;
  put(put(message.data(), nonce_first), nonce_second);
  return hmac(first, second, message, version);
}

uint64_t truncate64(const std::array<std::byte, 32>& hmac) { return get<uint64_t>(hmac.data()); }

std::array<std::byte, 20> truncate160(const std::array<std::byte, 32>& hmac) {
  std::array<std::byte, 20> out;
  std::copy_n(hmac.begin(), out.size(), out.begin());
  return out;
}

uint64_t add_addr_hmac(Key sender, Key receiver, uint8_t address_id, const wire::IpAddress& address,
                       uint16_t port) {
  std::array<std::byte, 1 + 16 + 2> message;
  std::byte* out = put(message.data(), address_id);
  for (size_t i = 0; i < address.size(); ++i) *out++ = static_cast<std::byte>(address.bytes()[i]);
  out = put(out, port);
  const Digest digest = hmac(sender, receiver, {message.data(), out}, Version::kV1);
  return get<uint64_t>(digest.data() + 24);
}

KeyPool::KeyPool(RandomSource& random, size_t size) : random_(random), size_(std::min(size, keys_.size())) {}

KeyMaterial KeyPool::take() {
  if (count_ == 0) return derive(random_.next64());
  return keys_[--count_];
}

void KeyPool::refill() {
  while (count_ < size_) keys_[count_++] = derive(random_.next64());
}

}  // namespace braid::mptcp
