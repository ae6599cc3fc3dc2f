#include "sim/middlebox/coalescer.h"

#include "sim/middlebox/testing/box_bench.h"

namespace braid::sim {
namespace {

using testing::BoxBench;
using testing::Emitted;
using testing::segment;
constexpr auto kForward = Direction::kForward, kBackward = Direction::kBackward;

wire::OutgoingSegment data(uint32_t seq, uint32_t data_seq, std::string_view flags = "A",
                           uint32_t ack = 501) {
  auto made = segment(kForward, flags, seq, ack);
  wire::Dss dss;
  dss.mapping = wire::DssMapping{{data_seq, false}, 1, 4, std::nullopt};
  made.options.mptcp.push_back(dss);
  return made;
}
uint64_t data_seq_of(const Emitted& out) {
  return wire::find<wire::Dss>(out.segment.options.mptcp)->mapping->data_seq.value;
}

TEST(Coalescer, JoinsWhatFollowsEachOtherUnderTheFirstsOptions) {
  BoxBench bench;
  Coalescer box({.most_payload_bytes = 8});
  EXPECT_TRUE(bench.pass(box, kForward, data(101, 11), "abcd").empty());
  const auto out = bench.pass(box, kForward, data(105, 15), "efgh");
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].text(), "abcdefgh");
  EXPECT_EQ(out[0].segment.seq, Seq32(101));
  EXPECT_EQ(data_seq_of(out[0]), 11u);
}

TEST(Coalescer, OrUnderTheLasts) {
  BoxBench bench;
  Coalescer box({.most_payload_bytes = 8, .keeps_last_options = true});
  EXPECT_TRUE(bench.pass(box, kForward, data(101, 11), "abcd").empty());
  const auto out = bench.pass(box, kForward, data(105, 15), "efgh");
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].text(), "abcdefgh");
  EXPECT_EQ(out[0].segment.seq, Seq32(101));
  EXPECT_EQ(data_seq_of(out[0]), 15u);
}

TEST(Coalescer, TheWholeSaysWhatTheLastHeaderSaid) {
  for (const bool keeps_last : {false, true}) {
    BoxBench bench;
    Coalescer box({.most_payload_bytes = 8, .keeps_last_options = keeps_last});
    bench.pass(box, kForward, data(101, 11, "ACP"), "abcd");
    auto last = data(105, 15, "A", 555);
    last.window = 42;
    const auto out = bench.pass_one(box, kForward, last, "efgh");
    EXPECT_EQ(out.segment.ack, Seq32(555));
    EXPECT_EQ(out.segment.window, 42);
    EXPECT_EQ(out.flags(), "APC");  // CWR of the first is not lost: ECN would never end otherwise
  }
}

TEST(Coalescer, HoldsNoLongerThanItMay) {
  BoxBench bench;
  Coalescer box({.most_payload_bytes = 8, .hold = 5ms});
  EXPECT_TRUE(bench.pass(box, kForward, data(101, 11), "abcd").empty());
  EXPECT_TRUE(bench.wait(box, 4ms).empty());
  const auto out = bench.wait(box, 1ms);
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].text(), "abcd");
  EXPECT_EQ(box.next_deadline(), kNever);
}

TEST(Coalescer, WhatDoesNotFollowComesOutInOrder) {
  BoxBench bench;
  Coalescer box({.most_payload_bytes = 8});
  bench.pass(box, kForward, data(101, 11), "abcd");
  const auto hole = bench.pass(box, kForward, data(109, 19), "ijkl");  // what was held, before it
  ASSERT_EQ(hole.size(), 1u);
  EXPECT_EQ(hole[0].text(), "abcd");
  const auto ack = bench.pass(box, kForward, segment(kForward, "A", 113, 501));
  ASSERT_EQ(ack.size(), 2u);
  EXPECT_EQ(ack[0].text(), "ijkl");
  EXPECT_EQ(ack[1].text(), "");
  bench.pass(box, kForward, data(113, 23), "mnop");
  const auto reset = bench.pass(box, kForward, segment(kForward, "R", 117));
  ASSERT_EQ(reset.size(), 2u);
  EXPECT_EQ(reset[1].flags(), "R");
}

TEST(Coalescer, AFinEndsIt) {
  BoxBench bench;
  Coalescer box({.most_payload_bytes = 100});
  bench.pass(box, kForward, data(101, 11), "abcd");
  const auto out = bench.pass_one(box, kForward, data(105, 15, "AF"), "efgh");
  EXPECT_EQ(out.text(), "abcdefgh");
  EXPECT_EQ(out.flags(), "AF");
}

TEST(Coalescer, DirectionsDoNotMix) {
  BoxBench bench;
  Coalescer box({.most_payload_bytes = 8});
  bench.pass(box, kForward, data(101, 11), "abcd");
  bench.pass(box, kBackward, segment(kBackward, "A", 105, 101), "wxyz");
  const auto out = bench.wait(box, 5ms);
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out[0].towards, kForward);
  EXPECT_EQ(out[1].towards, kBackward);
}

}  // namespace
}  // namespace braid::sim
