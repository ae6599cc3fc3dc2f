#include "wire/checksum.h"

#include <bit>
#include <cstring>

#include "wire/byte_order.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace braid::wire {

namespace {

// `to` is a null pointer if nothing is copied.
template <class Word, bool kCopy>
uint64_t take(const std::byte* from, std::byte* to, size_t at) {
  if constexpr (kCopy) std::memcpy(to + at, from + at, sizeof(Word));
  return load_native<Word>(from + at);
}

template <bool kCopy>
uint64_t sum_words(const std::byte* from, std::byte* to, size_t size) {
  uint64_t even = 0, odd = 0;
  size_t i = 0;
  for (; i + 16 <= size; i += 16) {
    even = add_carry(even, take<uint64_t, kCopy>(from, to, i));
    odd = add_carry(odd, take<uint64_t, kCopy>(from, to, i + 8));
  }
  if ((size & 8) != 0) even = add_carry(even, take<uint64_t, kCopy>(from, to, i)), i += 8;
  if ((size & 4) != 0) odd = add_carry(odd, take<uint32_t, kCopy>(from, to, i)), i += 4;
  if ((size & 2) != 0) even = add_carry(even, take<uint16_t, kCopy>(from, to, i)), i += 2;
  if ((size & 1) != 0) {
    uint16_t word = 0;  // its second octet is 0
    std::memcpy(&word, from + i, 1);
    if constexpr (kCopy) to[i] = from[i];
    odd = add_carry(odd, word);
  }
  return add_carry(even, odd);
}

#if defined(__x86_64__)

const bool has_avx2 = [] {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") != 0;
}();

// One 32-octet step: words, biased to signed ones, are summed in pairs by a multiply-add (by 1).
template <bool kCopy>
__attribute__((target("avx2"), always_inline)) inline __m256i sum_pairs(const std::byte* from, std::byte* to,
                                                                        size_t at, __m256i bias,
                                                                        __m256i ones) {
  const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + at));
  if constexpr (kCopy) _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + at), words);
  return _mm256_madd_epi16(_mm256_xor_si256(words, bias), ones);
}

__attribute__((target("avx2"), always_inline)) inline int64_t sum_lanes(__m256i lanes) {
  const __m256i wide = _mm256_add_epi64(_mm256_cvtepi32_epi64(_mm256_castsi256_si128(lanes)),
                                        _mm256_cvtepi32_epi64(_mm256_extracti128_si256(lanes, 1)));
  const __m128i half = _mm_add_epi64(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
  return _mm_cvtsi128_si64(half) + _mm_extract_epi64(half, 1);
}

template <bool kCopy>
__attribute__((target("avx2"))) uint64_t sum_words_avx2(const std::byte* from, std::byte* to, size_t size) {
  constexpr size_t kStep = 128;
  // A step changes a 32-bit lane by at most 2^16, so four lanes after 2^12 steps sum up to 2^30 at most.
  constexpr size_t kBlock = kStep * 4096;
  const __m256i bias = _mm256_set1_epi16(static_cast<int16_t>(0x8000));
  const __m256i ones = _mm256_set1_epi16(1);
  uint64_t total = 0;
  while (size >= kStep) {
    const size_t block = (size < kBlock ? size : kBlock) / kStep * kStep;
    __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
    for (size_t i = 0; i < block; i += kStep) {
      a = _mm256_add_epi32(a, sum_pairs<kCopy>(from, to, i, bias, ones));
      b = _mm256_add_epi32(b, sum_pairs<kCopy>(from, to, i + 32, bias, ones));
      c = _mm256_add_epi32(c, sum_pairs<kCopy>(from, to, i + 64, bias, ones));
      d = _mm256_add_epi32(d, sum_pairs<kCopy>(from, to, i + 96, bias, ones));
    }
    const __m256i lanes = _mm256_add_epi32(_mm256_add_epi32(a, b), _mm256_add_epi32(c, d));
    const int64_t sum = static_cast<int64_t>(block / 2) * 0x8000 + sum_lanes(lanes);
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

}  // namespace

void InternetChecksum::add(std::span<const std::byte> bytes) {
  add_part(sum_bytes<false>(bytes.data(), nullptr, bytes.size()), bytes.size());
}

void InternetChecksum::add_copy(std::span<const std::byte> from, std::byte* to) {
  add_part(sum_bytes<true>(from.data(), to, from.size()), from.size());
}

InternetChecksum pseudo_header(const IpAddress& source, const IpAddress& destination, uint32_t tcp_length) {
  InternetChecksum sum;
  // IPv4 has 16-bit fields where IPv6 has 32-bit ones; the sum is the same. Octets past an IPv4 address are
  // 0.
  for (const IpAddress* address : {&source, &destination}) {
    const auto* bytes = reinterpret_cast<const std::byte*>(address->bytes().data());
    sum.add64(load64(bytes));
    if (address->is_v6()) sum.add64(load64(bytes + 8));
  }
  sum.add32(tcp_length);
  sum.add32(kProtocolTcp);
  return sum;
}

}  // namespace braid::wire
