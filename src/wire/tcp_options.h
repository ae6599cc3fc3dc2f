// Parsing of a TCP header's options; the representation and its encoding are in tcp_segment.h.
#pragma once

#include <cstddef>
#include <span>

#include "wire/tcp_segment.h"

namespace braid::wire {

inline constexpr uint8_t kOptionKindEnd = 0;
inline constexpr uint8_t kOptionKindNop = 1;
inline constexpr uint8_t kOptionKindMss = 2;
inline constexpr uint8_t kOptionKindWindowScale = 3;
inline constexpr uint8_t kOptionKindSackPermitted = 4;
inline constexpr uint8_t kOptionKindSack = 5;
inline constexpr uint8_t kOptionKindTimestamps = 8;
inline constexpr uint8_t kOptionKindMd5Signature = 19;
inline constexpr uint8_t kOptionKindFastOpen = 34;  // RFC 7413, 4.1.1

/// Adds what `bytes` (the header from its 21st octet to its end) hold to `options`, which starts out empty.
/// Of an option that comes twice the first counts; of MPTCP options all, in order. What is malformed is
/// counted and skipped as far as its length octet permits. `flags` tell the forms of MPTCP options apart.
void parse_tcp_options(std::span<const std::byte> bytes, const TcpFlags& flags, TcpOptions& options);

}  // namespace braid::wire
