#include "wire/tcp_options.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "wire/byte_order.h"

namespace braid::wire {

namespace {

constexpr size_t kMssSize = 4, kWindowScaleSize = 3, kSackPermittedSize = 2, kTimestampsSize = 10,
                 kMd5SignatureSize = 18, kSackBlockSize = 8;
// The layout that stacks recognise at a glance: NOP NOP and timestamps (RFC 7323, appendix A).
constexpr uint32_t kAlignedTimestamps = 0x0101080a;

size_t padded(size_t size) { return (size + 3) & ~size_t{3}; }

Timestamps load_timestamps(const std::byte* at) { return {load32(at), load32(at + 4)}; }

// ---- parsing: `at` is the kind octet, `size` the option's length; all of it is there.

bool parse_sack(const std::byte* at, size_t size, TcpOptions& options) {
  if (size < 2 + kSackBlockSize || (size - 2) % kSackBlockSize != 0) return false;
  if (!options.sack.empty()) return true;
  for (size_t i = 2; i < size && options.sack.size() < options.sack.capacity(); i += kSackBlockSize) {
    options.sack.push_back({Seq32(load32(at + i)), Seq32(load32(at + i + 4))});
  }
  return true;
}

void parse_mptcp(const std::byte* at, size_t size, const TcpFlags& flags, TcpOptions& options) {
  // RFC 8684, 8.2: a subtype that we do not know is none of our business, and not malformed.
  if (size >= 3 && load8(at + 2) >> 4 > static_cast<uint8_t>(MptcpSubtype::kMpTcpRst)) return;
  if (options.mptcp.size() < options.mptcp.capacity()) {
    MptcpOption& option = options.mptcp.emplace_back();
    if (parse_mptcp_option({at, size}, flags.syn, flags.ack, option)) return;
    options.mptcp.pop_back();
  }
  ++options.malformed_mptcp;
}

/// Of a size that no cookie has, it is not an option of Fast Open (RFC 7413, 4.1.1).
bool parse_fast_open(const std::byte* at, size_t size, TcpOptions& options) {
  const size_t cookie = size - 2;
  if (cookie != 0 && !FastOpenCookie::is_size(cookie)) return false;
  if (!options.fast_open) options.fast_open = FastOpenCookie::of({at + 2, cookie});
  return true;
}

/// False if it is malformed.
bool parse_option(uint8_t kind, const std::byte* at, size_t size, TcpOptions& options) {
  switch (kind) {
    case kOptionKindMss:
      if (size != kMssSize) return false;
      if (!options.mss) options.mss = load16(at + 2);
      return true;
    case kOptionKindWindowScale:
      if (size != kWindowScaleSize) return false;
      if (!options.window_scale) options.window_scale = load8(at + 2);
      return true;
    case kOptionKindSackPermitted:
      if (size != kSackPermittedSize) return false;
      options.sack_permitted = true;
      return true;
    case kOptionKindSack:
      return parse_sack(at, size, options);
    case kOptionKindTimestamps:
      if (size != kTimestampsSize) return false;
      if (!options.timestamps) options.timestamps = load_timestamps(at + 2);
      return true;
    case kOptionKindMd5Signature:
      if (size != kMd5SignatureSize) return false;
      options.has_md5_signature = true;
      return true;
    case kOptionKindFastOpen:
      return parse_fast_open(at, size, options);
    default:
      return true;
  }
}

}  // namespace

void parse_tcp_options(std::span<const std::byte> bytes, const TcpFlags& flags, TcpOptions& options) {
  const std::byte* at = bytes.data();
  const std::byte* const end = at + bytes.size();
  if (bytes.size() >= 2 + kTimestampsSize && load32(at) == kAlignedTimestamps) {
    options.timestamps = load_timestamps(at + 4);
    at += 2 + kTimestampsSize;
  }
  while (at < end) {
    const uint8_t kind = load8(at);
    if (kind == kOptionKindEnd) return;
    if (kind == kOptionKindNop) {
      ++at;
      continue;
    }
    const auto left = static_cast<size_t>(end - at);
    const size_t size = left < 2 ? 0 : load8(at + 1);
    if (size < 2 || size > left) {  // where the next one would begin is anybody's guess
      ++(kind == kOptionKindMptcp ? options.malformed_mptcp : options.malformed);
      return;
    }
    if (kind == kOptionKindMptcp) {
      parse_mptcp(at, size, flags, options);
    } else if (!parse_option(kind, at, size, options)) {
      ++options.malformed;
    }
    at += size;
  }
}

size_t TcpOptions::encoded_size() const {
  size_t size = 0;
  if (mss) size += kMssSize;
  if (timestamps) {
    size += 2 + kTimestampsSize;  // SACK-permitted goes in place of the two NOPs
  } else if (sack_permitted) {
    size += padded(kSackPermittedSize);
  }
  if (window_scale) size += padded(kWindowScaleSize);
  for (const MptcpOption& option : mptcp) size += padded(wire::encoded_size(option));
  if (fast_open) size += padded(2 + fast_open->size);
  if (!sack.empty()) size += padded(2 + kSackBlockSize * sack.size());
  return size;
}

size_t TcpOptions::encode(std::span<std::byte> out) const {
  BRAID_CHECK(encoded_size() <= out.size());
  std::byte* at = out.data();
  const auto put8 = [&at](unsigned v) { store8(at++, v); };
  const auto put32 = [&at](uint32_t v) { store32(at, v), at += 4; };
  const auto put_header = [&](uint8_t kind, size_t size) { put8(kind), put8(static_cast<unsigned>(size)); };
  const auto put_nops = [&](size_t count) {
    while (count-- > 0) put8(kOptionKindNop);
  };

  if (mss) {
    put_header(kOptionKindMss, kMssSize);
    store16(at, *mss), at += 2;
  }
  if (sack_permitted) {
    if (!timestamps) put_nops(2);
    put_header(kOptionKindSackPermitted, kSackPermittedSize);
  } else if (timestamps) {
    put_nops(2);
  }
  if (timestamps) {
    put_header(kOptionKindTimestamps, kTimestampsSize);
    put32(timestamps->value);
    put32(timestamps->echo);
  }
  if (window_scale) {
    put_nops(1);
    put_header(kOptionKindWindowScale, kWindowScaleSize);
    put8(*window_scale);
  }
  for (const MptcpOption& option : mptcp) {
    const size_t size = wire::encode(option, out.subspan(static_cast<size_t>(at - out.data())));
    at += size;
    put_nops(padded(size) - size);
  }
  if (fast_open) {
    const size_t size = 2 + fast_open->size;
    put_header(kOptionKindFastOpen, size);
    at = std::ranges::copy(fast_open->bytes(), at).out;
    put_nops(padded(size) - size);
  }
  if (!sack.empty()) {
    put_nops(2);
    put_header(kOptionKindSack, 2 + kSackBlockSize * sack.size());
    for (const SackBlock& block : sack) {
      put32(block.begin.value());
      put32(block.end.value());
    }
  }
  return static_cast<size_t>(at - out.data());
}

}  // namespace braid::wire
