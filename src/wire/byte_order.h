// Network order at fixed positions of bytes whose length the caller has checked.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace braid::wire {

constexpr uint16_t to_network(uint16_t v) {
  return std::endian::native == std::endian::little ? __builtin_bswap16(v) : v;
}
constexpr uint32_t to_network(uint32_t v) {
  return std::endian::native == std::endian::little ? __builtin_bswap32(v) : v;
}
constexpr uint64_t to_network(uint64_t v) {
  return std::endian::native == std::endian::little ? __builtin_bswap64(v) : v;
}

/// The bytes at `p` as they are, in the machine's order.
template <class T>
T load_native(const std::byte* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

inline uint8_t load8(const std::byte* p) { return static_cast<uint8_t>(*p); }
inline uint16_t load16(const std::byte* p) { return to_network(load_native<uint16_t>(p)); }
inline uint32_t load32(const std::byte* p) { return to_network(load_native<uint32_t>(p)); }
inline uint64_t load64(const std::byte* p) { return to_network(load_native<uint64_t>(p)); }

inline void store8(std::byte* p, unsigned v) { *p = static_cast<std::byte>(v); }
inline void store16(std::byte* p, uint16_t v) {
  v = to_network(v);
  std::memcpy(p, &v, sizeof v);
}
inline void store32(std::byte* p, uint32_t v) {
  v = to_network(v);
  std::memcpy(p, &v, sizeof v);
}
inline void store64(std::byte* p, uint64_t v) {
  v = to_network(v);
  std::memcpy(p, &v, sizeof v);
}

}  // namespace braid::wire
