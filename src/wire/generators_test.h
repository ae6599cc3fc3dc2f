// For the room's tests: bytes from hex text, and rapidcheck generators of everything that fits on the wire.
#pragma once

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cctype>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/chunk.h"
#include "wire/mptcp_options.h"
#include "wire/tcp_segment.h"

namespace braid::wire::test {

using Bytes = std::vector<std::byte>;

/// "1e04 01 81" -> 4 bytes. Anything that is no hex digit separates.
inline Bytes hex(std::string_view text) {
  const auto digit = [](char c) { return std::isdigit(c) ? c - '0' : std::tolower(c) - 'a' + 10; };
  Bytes bytes;
  int high = -1;
  for (const char c : text) {
    if (!std::isxdigit(static_cast<unsigned char>(c))) continue;
    if (high < 0) {
      high = digit(c);
    } else {
      bytes.push_back(static_cast<std::byte>(high << 4 | digit(c)));
      high = -1;
    }
  }
  return bytes;
}

template <class T>
T any() {
  return *rc::gen::arbitrary<T>();
}

/// Also the extremes, more often than chance has them.
template <class T>
T number() {
  return *rc::gen::weightedOneOf<T>(
      {{3, rc::gen::arbitrary<T>()},
       {1, rc::gen::element<T>(T{0}, T{1}, std::numeric_limits<T>::max(),
                               static_cast<T>(std::numeric_limits<T>::max() / 2 + 1))}});
}

inline size_t below(size_t bound) { return *rc::gen::inRange<size_t>(0, bound); }

inline Bytes any_bytes(size_t size) {
  return *rc::gen::container<Bytes>(
      size, rc::gen::map(rc::gen::arbitrary<uint8_t>(), [](uint8_t v) { return static_cast<std::byte>(v); }));
}

inline IpAddress any_address(Family family) {
  if (family == Family::kV4) return IpAddress::v4(number<uint32_t>());
  std::array<uint8_t, 16> bytes;
  for (uint8_t& b : bytes) b = any<uint8_t>();
  return IpAddress::v6(bytes);
}

inline WideOrNarrow any_wide_or_narrow() {
  if (any<bool>()) return {number<uint64_t>(), true};
  return {number<uint32_t>(), false};
}

inline Dss any_dss() {
  Dss o;
  if (any<bool>()) o.data_ack = any_wide_or_narrow();
  if (any<bool>()) {
    o.mapping = DssMapping{any_wide_or_narrow(), number<uint32_t>(), number<uint16_t>(), std::nullopt};
    if (any<bool>()) o.mapping->checksum = number<uint16_t>();
    o.data_fin = any<bool>();
  }
  return o;
}

inline MpCapable any_capable(bool is_syn, bool is_ack) {
  MpCapable o;
  o.version = static_cast<uint8_t>(below(2));
  o.checksum_required = any<bool>();
  o.extensibility = any<bool>();
  o.deny_join_initial = any<bool>();
  o.hmac_sha256 = any<bool>();
  if (!is_syn || is_ack || o.version == 0) o.sender_key = number<uint64_t>();
  if (is_syn) return o;
  o.receiver_key = number<uint64_t>();
  if (o.version == 1 && any<bool>()) {
    o.data_length = number<uint16_t>();
    if (any<bool>()) o.checksum = number<uint16_t>();
  }
  return o;
}

inline MptcpOption any_join(bool is_syn, bool is_ack) {
  if (is_syn && is_ack) {
    return MpJoinSynAck{any<bool>(), any<uint8_t>(), number<uint64_t>(), any<uint32_t>()};
  }
  if (is_syn) return MpJoinSyn{any<bool>(), any<uint8_t>(), any<uint32_t>(), any<uint32_t>()};
  MpJoinAck ack;
  for (std::byte& b : ack.hmac) b = static_cast<std::byte>(any<uint8_t>());
  return ack;
}

inline AddAddr any_add_addr() {
  AddAddr o;
  o.version = static_cast<uint8_t>(below(2));
  o.is_echo = o.version > 0 && any<bool>();
  o.address_id = any<uint8_t>();
  o.address = any_address(any<bool>() ? Family::kV4 : Family::kV6);
  if (any<bool>()) o.port = number<uint16_t>();
  if (o.version > 0 && !o.is_echo) o.truncated_hmac = number<uint64_t>();
  return o;
}

inline RemoveAddr any_remove_addr(size_t most) {
  RemoveAddr o;
  for (size_t left = 1 + below(most); left > 0; --left) o.address_ids.push_back(any<uint8_t>());
  return o;
}

/// An option that may stand on a segment with these flags.
inline MptcpOption any_mptcp_option(bool is_syn, bool is_ack) {
  switch (below(9)) {
    case 0:
      return any_capable(is_syn, is_ack);
    case 1:
      if (is_syn || is_ack) return any_join(is_syn, is_ack);
      [[fallthrough]];
    case 2:
      return any_dss();
    case 3:
      return any_add_addr();
    case 4:
      return any_remove_addr(AddressIds::kCapacity);
    case 5:
      return MpPrio{any<bool>(), any<bool>() ? std::optional(any<uint8_t>()) : std::nullopt};
    case 6:
      return MpFail{number<uint64_t>()};
    case 7:
      return MpFastclose{number<uint64_t>()};
    default:
      return MpTcpRst{any<bool>(), any<bool>(), any<bool>(), any<bool>(),
                      static_cast<ResetReason>(any<uint8_t>())};
  }
}

/// Options that fit into one header. Half of the time as many as fit.
inline TcpOptions any_options(const TcpFlags& flags) {
  TcpOptions options;
  const auto fits = [&] { return options.encoded_size() <= kMaxTcpOptionBytes; };
  if (any<bool>()) options.mss = number<uint16_t>();
  if (any<bool>()) options.window_scale = number<uint8_t>();
  options.sack_permitted = any<bool>();
  if (any<bool>()) options.timestamps = Timestamps{number<uint32_t>(), number<uint32_t>()};
  if (any<bool>()) {
    options.fast_open = any<bool>() ? FastOpenCookie::of(any_bytes(4 + 2 * below(7))) : FastOpenCookie{};
  }
  for (size_t tries = below(12); tries > 0; --tries) {
    options.mptcp.push_back(any_mptcp_option(flags.syn, flags.ack));
    if (!fits()) options.mptcp.pop_back();
  }
  for (size_t tries = below(5); tries > 0; --tries) {
    options.sack.push_back({Seq32(number<uint32_t>()), Seq32(number<uint32_t>())});
    if (!fits()) options.sack.pop_back();
  }
  return options;
}

inline TcpFlags any_flags() {
  TcpFlags f;
  f.fin = any<bool>(), f.syn = any<bool>(), f.rst = any<bool>(), f.psh = any<bool>();
  f.ack = any<bool>(), f.urg = any<bool>(), f.ece = any<bool>(), f.cwr = any<bool>();
  return f;
}

/// A segment with up to `max_payload` octets in several slices.
inline OutgoingSegment any_segment(ChunkPool& pool, size_t max_payload) {
  OutgoingSegment segment;
  const Family family = any<bool>() ? Family::kV4 : Family::kV6;
  segment.tuple = {{any_address(family), number<uint16_t>()}, {any_address(family), number<uint16_t>()}};
  segment.seq = Seq32(number<uint32_t>());
  segment.ack = Seq32(number<uint32_t>());
  segment.flags = any_flags();
  segment.window = number<uint16_t>();
  segment.options = any_options(segment.flags);
  segment.traffic_class = any<uint8_t>();
  for (size_t left = below(max_payload + 1); left > 0 && segment.payload.size() < 8;) {
    const size_t size = segment.payload.size() == 7 ? left : 1 + below(left);
    Bytes bytes(size);
    uint32_t state = any<uint32_t>() | 1;
    for (std::byte& b : bytes) b = static_cast<std::byte>((state = state * 1664525 + 1013904223) >> 24);
    segment.payload.push_back(copy_to_slice(pool, bytes));
    left -= size;
  }
  return segment;
}

}  // namespace braid::wire::test
