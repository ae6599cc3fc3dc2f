// Numbers in network order, the Internet checksum, and the octets that streams are made of in scenarios.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "segments/language/script_error.h"

namespace braid::segments {

using Octets = std::vector<uint8_t>;

inline void put(Octets& to, uint64_t value, int size) {
  for (int i = size - 1; i >= 0; --i) to.push_back(static_cast<uint8_t>(value >> (8 * i)));
}
inline void put8(Octets& to, uint64_t value) { put(to, value, 1); }
inline void put16(Octets& to, uint64_t value) { put(to, value, 2); }
inline void put32(Octets& to, uint64_t value) { put(to, value, 4); }
inline void put64(Octets& to, uint64_t value) { put(to, value, 8); }
inline void put_all(Octets& to, const Octets& from) {
  for (const uint8_t octet : from) to.push_back(octet);
}

inline uint64_t get(const Octets& from, size_t at, size_t size) {
  if (at + size > from.size()) throw ScriptError("the engine sent a packet that is too short");
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i) value = value << 8 | from[at + i];
  return value;
}

/// RFC 1071, the plain way.
inline uint16_t checksum_of(const Octets& bytes) {
  uint64_t sum = 0;
  for (size_t i = 0; i < bytes.size(); ++i) sum += i % 2 == 0 ? bytes[i] << 8 : bytes[i];
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

/// The octet at `position` of every stream; the first is at 1.
inline uint8_t stream_octet(uint64_t position) {
  return static_cast<uint8_t>(position * 131 + (position >> 8) * 29 + 7);
}

}  // namespace braid::segments
