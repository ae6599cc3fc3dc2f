// One Subflow against a peer that the test plays, segment by segment, on a virtual clock.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tcp/testing/fake_upper.h"
#include "tcp/testing/segments.h"

namespace braid::tcp::test {

inline wire::FourTuple test_tuple() {
  return {{wire::IpAddress::v4(0xc0000201), 40000}, {wire::IpAddress::v4(0xc0000202), 80}};
}

class SubflowFixture : public ::testing::Test {
 protected:
  static constexpr Seq32 kOwn{0xfffffff0};  // wraps after 16 octets
  static constexpr Seq32 kPeer{0xffffff00};
  static constexpr uint32_t kTimestampOffset = 7000;

  SubflowFixture() {
    config.use_timestamps = false;
    config.max_super_segment = 1460;
    make();
  }

  /// Anew, after `config` was changed.
  void make() {
    subflow.reset();
    upper = FakeUpper(pool);
    subflow = std::make_unique<Subflow>(config, tuple, kOwn, kTimestampOffset, upper, pool,
                                        make_congestion_control("reno", config.mss));
  }

  /// What the subflow sends now, as lines.
  std::vector<std::string> sent() {
    CollectingSink sink;
    subflow->poll_transmit(sink, now);
    raw = std::move(sink.segments);
    std::vector<std::string> lines;
    for (const auto& segment : raw) lines.push_back(render(segment, kOwn, kPeer));
    return lines;
  }

  wire::TcpSegment segment(const In& in) {
    wire::TcpSegment s;
    s.tuple = tuple;
    s.flags = parse_flags(in.flags);
    const uint64_t seq = in.seq == kNotSet ? peer_seq : in.seq;
    s.seq = kPeer + static_cast<uint32_t>(seq);
    if (s.flags.ack) {
      s.ack = kOwn + static_cast<uint32_t>(in.ack == kNotSet ? subflow->snd_nxt().value() : in.ack);
    }
    s.window = static_cast<uint16_t>(std::min<uint32_t>(in.window, 65535));
    s.options.mss = in.mss;
    s.options.window_scale = in.wscale;
    s.options.sack_permitted = in.sack_ok;
    s.options.timestamps = in.ts;
    for (const auto& [begin, end] : in.sack) {
      s.options.sack.push_back({kOwn + static_cast<uint32_t>(begin), kOwn + static_cast<uint32_t>(end)});
    }
    if (in.bytes > 0) {
      const uint64_t first = seq + (s.flags.syn ? 1 : 0);
      ChunkRef chunk = pool.allocate(in.bytes);
      for (uint32_t i = 0; i < in.bytes; ++i) chunk->data()[i] = pattern(2, StreamOffset(first + i));
      s.payload = Slice(std::move(chunk), 0, in.bytes);
    }
    s.segment_count = in.segments;
    return s;
  }

  /// A segment comes in; the peer's stream moves on with it if it was the next.
  void receive(const In& in) {
    const wire::TcpSegment s = segment(in);
    if (in.seq == kNotSet) peer_seq += s.sequence_length();
    subflow->on_segment(s, now);
  }

  void wait(Duration d) {
    now += d;
    subflow->advance(now);
  }
  /// To the next deadline; returns how far that was.
  Duration wait_for_timer() {
    const Time deadline = subflow->next_deadline();
    EXPECT_NE(deadline, kNever) << "no timer is armed";
    if (deadline == kNever) return {};
    const Duration d = deadline - now;
    now = deadline;
    subflow->advance(now);
    return d;
  }

  /// Through the handshake, as client. The peer's options: MSS 1460 and what is given.
  void establish(In syn_ack = {}) {
    subflow->connect(now);
    sent();
    syn_ack.flags = "S.";
    syn_ack.seq = 0;
    syn_ack.ack = 1;
    if (!syn_ack.mss) syn_ack.mss = 1460;
    now += 10ms;
    receive(syn_ack);
    peer_seq = 1;
    sent();
    ASSERT_EQ(subflow->state(), State::kEstablished);
  }
  /// With SACK, and the start's quick ACKs used up.
  void establish_quietly() {
    establish({.sack_ok = true});
    for (int i = 0; i < 16; ++i) {
      receive({.bytes = 10});
      sent();
    }
  }

  State state() const { return subflow->state(); }

  ChunkPool pool;
  SubflowConfig config;
  wire::FourTuple tuple = test_tuple();
  Time now{1000s};
  FakeUpper upper{pool};
  std::unique_ptr<Subflow> subflow;
  uint64_t peer_seq = 0;
  std::vector<wire::OutgoingSegment> raw;  // what sent() returned last
};

}  // namespace braid::tcp::test
