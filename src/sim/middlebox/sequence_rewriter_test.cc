#include "sim/middlebox/sequence_rewriter.h"

#include "sim/middlebox/testing/box_bench.h"

namespace braid::sim {
namespace {

using testing::BoxBench;
using testing::segment;
constexpr auto kForward = Direction::kForward, kBackward = Direction::kBackward;

TEST(SequenceRewriter, ShiftsBothWaysAndBackAgain) {
  BoxBench bench;
  SequenceRewriter box(7);
  const Seq32 client = bench.pass_one(box, kForward, segment(kForward, "S", 100)).segment.seq;
  EXPECT_NE(client, Seq32(100));
  const auto answer =
      bench.pass_one(box, kBackward, segment(kBackward, "SA", 500, client.value() + 1)).segment;
  EXPECT_EQ(answer.ack, Seq32(101));
  EXPECT_NE(answer.seq, Seq32(500));
  const auto data =
      bench.pass_one(box, kForward, segment(kForward, "PA", 101, answer.seq.value() + 1), "hello");
  EXPECT_EQ(data.segment.seq, client + 1);
  EXPECT_EQ(data.segment.ack, Seq32(501));
  EXPECT_EQ(data.text(), "hello");
}

TEST(SequenceRewriter, TheSameSynAgainKeepsItsShift) {
  BoxBench bench;
  SequenceRewriter box(7);
  const Seq32 first = bench.pass_one(box, kForward, segment(kForward, "S", 100)).segment.seq;
  EXPECT_EQ(bench.pass_one(box, kForward, segment(kForward, "S", 100)).segment.seq, first);
}

TEST(SequenceRewriter, TranslatesSackBlocksLikeTheAck) {
  BoxBench bench;
  SequenceRewriter box(7);
  const Seq32 client = bench.pass_one(box, kForward, segment(kForward, "S", 100)).segment.seq;
  const uint32_t shift = client.value() - 100;
  auto ack = segment(kBackward, "A", 501, 101 + shift);
  ack.options.sack = {{Seq32(300 + shift), Seq32(400 + shift)}, {Seq32(600 + shift), Seq32(700 + shift)}};
  const auto out = bench.pass_one(box, kBackward, ack).segment;
  EXPECT_EQ(out.ack, Seq32(101));
  ASSERT_EQ(out.options.sack.size(), 2u);
  EXPECT_EQ(out.options.sack[0], (wire::SackBlock{Seq32(300), Seq32(400)}));
  EXPECT_EQ(out.options.sack[1], (wire::SackBlock{Seq32(600), Seq32(700)}));
}

TEST(SequenceRewriter, WhatHasNoAckHasNoneAfterwards) {
  BoxBench bench;
  SequenceRewriter box(7);
  bench.pass_one(box, kForward, segment(kForward, "S", 100));
  EXPECT_EQ(bench.pass_one(box, kBackward, segment(kBackward, "R", 7)).segment.ack, Seq32(0));
}

TEST(SequenceRewriter, LeavesAFlowAloneThatItJoinsInTheMiddle) {
  BoxBench bench;
  SequenceRewriter box(7);
  const auto out = bench.pass_one(box, kForward, segment(kForward, "A", 101, 501), "x").segment;
  EXPECT_EQ(out.seq, Seq32(101));
  EXPECT_EQ(out.ack, Seq32(501));
}

}  // namespace
}  // namespace braid::sim
