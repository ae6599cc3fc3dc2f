#include "wire/checksum.h"

#include <bit>
#include <cstring>

#include "wire/byte_order.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace braid::wire {

namespace {

// All sums here are ones' complement sums of 16-bit words in the machine's own byte order, which RFC 1071
// (2.B) allows: one swap at the end puts it right. 2^16 - 1 divides 2^64 - 1, so 64 bits with end-around
// carry are a sum of 16-bit words too, and rotating by 8 moves it to odd positions. Such a sum is 0 only if
// all its words are.

uint64_t add_carry(uint64_t a, uint64_t b) {
  const uint64_t sum = a + b;
  return sum + (sum < b ? 1 : 0);
}

uint16_t fold(uint64_t sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

template <bool kCopy>
uint64_t sum_words(const std::byte* from, std::byte* to, size_t size) {
  uint64_t even = 0, odd = 0;
  size_t i = 0;
  for (; i + 16 <= size; i += 16) {
    even = add_carry(even, load_native<uint64_t>(from + i));
    odd = add_carry(odd, load_native<uint64_t>(from + i + 8));
    if constexpr (kCopy) std::memcpy(to + i, from + i, 16);
  }
  for (; i < size; i += 8) {
    const size_t n = size - i < 8 ? size - i : 8;
    uint64_t word = 0;
    std::memcpy(&word, from + i, n);
    if constexpr (kCopy) std::memcpy(to + i, from + i, n);
    even = add_carry(even, word);
  }
  return add_carry(even, odd);
}

#if defined(__x86_64__)

const bool has_avx2 = [] {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") != 0;
}();

// Words are biased to signed ones so that one multiply-add (by 1) sums pairs of them into 32-bit lanes.
template <bool kCopy>
__attribute__((target("avx2"))) uint64_t sum_words_avx2(const std::byte* from, std::byte* to, size_t size) {
  constexpr size_t kStep = 128;
  constexpr size_t kBlock = kStep * 16384;  // a lane gains at most 2^16 a step, so it holds 2^15 of them
  const __m256i bias = _mm256_set1_epi16(static_cast<int16_t>(0x8000));
  const __m256i ones = _mm256_set1_epi16(1);
  uint64_t total = 0;
  while (size >= kStep) {
    const size_t block = (size < kBlock ? size : kBlock) / kStep * kStep;
    __m256i lanes[4] = {};
    for (size_t i = 0; i < block; i += kStep) {
      for (size_t j = 0; j < 4; ++j) {
        const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i + 32 * j));
        if constexpr (kCopy) _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i + 32 * j), words);
        lanes[j] = _mm256_add_epi32(lanes[j], _mm256_madd_epi16(_mm256_xor_si256(words, bias), ones));
      }
    }
    int64_t sum = static_cast<int64_t>(block / 2) * 0x8000;
    for (const __m256i& lane : lanes) {
      const __m256i wide = _mm256_add_epi64(_mm256_cvtepi32_epi64(_mm256_castsi256_si128(lane)),
                                            _mm256_cvtepi32_epi64(_mm256_extracti128_si256(lane, 1)));
      const __m128i half = _mm_add_epi64(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
      sum += _mm_cvtsi128_si64(half) + _mm_extract_epi64(half, 1);
    }
    total = add_carry(total, static_cast<uint64_t>(sum));
    from += block;
    if constexpr (kCopy) to += block;
    size -= block;
  }
  return add_carry(total, sum_words<kCopy>(from, to, size));
}

#endif

template <bool kCopy>
uint64_t sum_bytes(const std::byte* from, std::byte* to, size_t size) {
#if defined(__x86_64__)
  if (size >= 256 && has_avx2) return sum_words_avx2<kCopy>(from, to, size);
#endif
  return sum_words<kCopy>(from, to, size);
}

uint64_t at_offset(uint64_t sum, uint64_t offset) { return offset % 2 == 0 ? sum : std::rotl(sum, 8); }

}  // namespace

void InternetChecksum::add(std::span<const std::byte> bytes) {
  sum_ = add_carry(sum_, at_offset(sum_bytes<false>(bytes.data(), nullptr, bytes.size()), size_));
  size_ += bytes.size();
}

void InternetChecksum::add16(uint16_t host_order) {
  sum_ = add_carry(sum_, at_offset(to_network(host_order), size_));
  size_ += 2;
}

void InternetChecksum::add32(uint32_t host_order) {
  sum_ = add_carry(sum_, at_offset(to_network(host_order), size_));
  size_ += 4;
}

void InternetChecksum::add64(uint64_t host_order) {
  sum_ = add_carry(sum_, at_offset(to_network(host_order), size_));
  size_ += 8;
}

void InternetChecksum::add_copy(std::span<const std::byte> from, std::byte* to) {
  sum_ = add_carry(sum_, at_offset(sum_bytes<true>(from.data(), to, from.size()), size_));
  size_ += from.size();
}

void InternetChecksum::append(const InternetChecksum& next) {
  sum_ = add_carry(sum_, at_offset(next.sum_, size_));
  size_ += next.size_;
}

uint16_t InternetChecksum::sum() const { return to_network(fold(sum_)); }

InternetChecksum pseudo_header(const IpAddress& source, const IpAddress& destination, uint32_t tcp_length) {
  return pseudo_header(source, destination, kProtocolTcp, tcp_length);
}

InternetChecksum pseudo_header(const IpAddress& source, const IpAddress& destination, uint8_t protocol,
                               uint32_t length) {
  InternetChecksum sum;
  // IPv4 has 16-bit fields where IPv6 has 32-bit ones; the sum is the same. Octets past an IPv4 address are
  // 0.
  for (const IpAddress* address : {&source, &destination}) {
    const auto* bytes = reinterpret_cast<const std::byte*>(address->bytes().data());
    sum.add64(load64(bytes));
    if (address->is_v6()) sum.add64(load64(bytes + 8));
  }
  sum.add32(length);
  sum.add32(protocol);
  return sum;
}

}  // namespace braid::wire
