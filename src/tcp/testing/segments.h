// A small language for segments in tests: what comes in is a template with overrides, what goes out is
// rendered to one line of text. Numbers are stream offsets: 0 is the SYN, 1 the first octet.
#pragma once

#include <fmt/format.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tcp/testing/fake_upper.h"
#include "wire/packet.h"
#include "wire/tcp_segment.h"

namespace braid::tcp::test {

inline constexpr uint64_t kNotSet = UINT64_MAX;

/// A segment from the peer, with designated initialisers: {.flags = "P.", .seq = 1, .ack = 1, .bytes = 100}.
struct In {
  std::string_view flags = ".";  // as tcpdump prints them: S F R P . (ACK)
  uint64_t seq = kNotSet;        // default: where the peer's stream stands
  uint64_t ack = kNotSet;        // default: all that we sent
  uint32_t bytes = 0;            // of the pattern
  uint32_t window = kNotSet & 0xffffffff;
  std::optional<uint16_t> mss = std::nullopt;
  std::optional<uint8_t> wscale = std::nullopt;
  bool sack_ok = false;
  std::optional<wire::Timestamps> ts = std::nullopt;
  std::vector<std::pair<uint64_t, uint64_t>> sack = {};
  uint16_t segments = 1;
};

inline wire::TcpFlags parse_flags(std::string_view text) {
  wire::TcpFlags flags;
  for (const char c : text) {
    if (c == 'S') flags.syn = true;
    if (c == 'F') flags.fin = true;
    if (c == 'R') flags.rst = true;
    if (c == 'P') flags.psh = true;
    if (c == '.') flags.ack = true;
  }
  return flags;
}

/// "P. 1:101 ack 1", "S. 0:1 ack 1", ". 1 ack 101 <sack 201:301>": flags, the sequence numbers used (one
/// number if none), ACK, SACK blocks. `own` and `peer` are the initial sequence numbers.
inline std::string render(const wire::OutgoingSegment& out, Seq32 own, Seq32 peer) {
  std::string text;
  if (out.flags.syn) text += 'S';
  if (out.flags.fin) text += 'F';
  if (out.flags.rst) text += 'R';
  if (out.flags.psh) text += 'P';
  if (out.flags.ack) text += '.';
  const auto relative = [](Seq32 seq, Seq32 initial) { return seq.distance_from(initial); };
  const int64_t begin = relative(out.seq, own);
  const int64_t length =
      static_cast<int64_t>(out.payload_size()) + (out.flags.syn ? 1 : 0) + (out.flags.fin ? 1 : 0);
  text += length == 0 ? fmt::format(" {}", begin) : fmt::format(" {}:{}", begin, begin + length);
  if (out.flags.ack) text += fmt::format(" ack {}", relative(out.ack, peer));
  if (!out.options.sack.empty()) {
    text += " <sack";
    for (const wire::SackBlock& block : out.options.sack) {
      text += fmt::format(" {}:{}", relative(block.begin, peer), relative(block.end, peer));
    }
    text += '>';
  }
  return text;
}

/// The options of a SYN: "mss 1460,sackOK,TS,wscale 8".
inline std::string render_options(const wire::TcpOptions& options) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ",") + part; };
  if (options.mss) add(fmt::format("mss {}", *options.mss));
  if (options.sack_permitted) add("sackOK");
  if (options.timestamps) add("TS");
  if (options.window_scale) add(fmt::format("wscale {}", *options.window_scale));
  return text;
}

/// The segment as its receiver gets it; payload in one slice of `pool`.
inline wire::TcpSegment arrive(const wire::OutgoingSegment& out, ChunkPool& pool) {
  wire::TcpSegment in;
  in.tuple = {out.tuple.remote, out.tuple.local};
  in.seq = out.seq;
  in.ack = out.ack;
  in.flags = out.flags;
  in.window = out.window;
  in.traffic_class = out.traffic_class;
  in.options = out.options;
  const size_t size = out.payload_size();
  if (size > 0) {
    ChunkRef chunk = pool.allocate(size);
    size_t at = 0;
    for (const Slice& slice : out.payload) {
      std::memcpy(chunk->data() + at, slice.data(), slice.size());
      at += slice.size();
    }
    in.payload = Slice(std::move(chunk), 0, size);
  }
  if (out.mss > 0 && size > out.mss) in.segment_count = static_cast<uint16_t>((size + out.mss - 1) / out.mss);
  return in;
}

/// Keeps what it is given.
class CollectingSink : public SegmentSink {
 public:
  std::vector<wire::OutgoingSegment> segments;
  void send(wire::OutgoingSegment& segment) override {
    EXPECT_LE(segment.options.encoded_size(), wire::kMaxTcpOptionBytes);
    segments.push_back(segment);
  }
};

}  // namespace braid::tcp::test
