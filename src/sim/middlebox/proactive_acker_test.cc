#include "sim/middlebox/proactive_acker.h"

#include "sim/middlebox/testing/box_bench.h"

namespace braid::sim {
namespace {

using testing::BoxBench;
using testing::Emitted;
using testing::segment;
constexpr auto kForward = Direction::kForward, kBackward = Direction::kBackward;

class Acker : public ::testing::Test {
 protected:
  std::vector<Emitted> send(uint32_t seq, std::string_view bytes) {
    return bench.pass(box, kForward, segment(kForward, "A", seq, 501), bytes);
  }
  std::vector<Emitted> acknowledge(uint32_t ack) {
    return bench.pass(box, kBackward, segment(kBackward, "A", 501, ack));
  }
  BoxBench bench;
  ProactiveAcker box{{.most_bytes = 2000, .retransmission_timeout = 300ms}};
};

TEST_F(Acker, AcknowledgesBeforeTheReceiverDoes) {
  ASSERT_TRUE(bench.shake_hands(box));
  const auto out = send(101, "data");
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out[0].towards, kBackward);
  EXPECT_EQ(out[0].segment.tuple, testing::client_to_server());
  EXPECT_EQ(out[0].segment.ack, Seq32(105));
  EXPECT_EQ(out[0].segment.seq, Seq32(501));
  EXPECT_EQ(out[0].segment.window, 1000);
  EXPECT_TRUE(out[0].segment.options.mptcp.empty());
  EXPECT_EQ(out[1].towards, kForward);
  EXPECT_EQ(out[1].text(), "data");
}

TEST_F(Acker, RepeatsByItselfUntilTheReceiverHasIt) {
  ASSERT_TRUE(bench.shake_hands(box));
  send(101, "data");
  EXPECT_TRUE(bench.wait(box, 299ms).empty());
  const auto again = bench.wait(box, 1ms);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].text(), "data");
  acknowledge(105);
  EXPECT_TRUE(bench.wait(box, 10s).empty());
}

// PAWS would drop an older one, and nobody else repeats it.
TEST_F(Acker, WhatItRepeatsHasTheNewestTimestamps) {
  ASSERT_TRUE(bench.shake_hands(box));
  auto data = segment(kForward, "A", 101, 501), later = segment(kForward, "A", 105, 501);
  data.options.timestamps = wire::Timestamps{10, 20};
  later.options.timestamps = wire::Timestamps{11, 21};
  bench.pass(box, kForward, data, "data");
  bench.pass(box, kForward, later);
  const auto again = bench.wait(box, 300ms);
  ASSERT_EQ(again.size(), 1u);
  ASSERT_TRUE(again[0].segment.options.timestamps.has_value());
  EXPECT_EQ(again[0].segment.options.timestamps->value, 11u);
  EXPECT_EQ(again[0].segment.options.timestamps->echo, 21u);
}

TEST_F(Acker, ThreeDuplicatesAskForTheFirstAndPartialOnesForTheNext) {
  ASSERT_TRUE(bench.shake_hands(box));
  send(101, "aaaa");
  send(105, "bbbb");
  send(109, "cccc");
  EXPECT_EQ(acknowledge(101).size(), 1u);
  EXPECT_EQ(acknowledge(101).size(), 1u);
  const auto third = acknowledge(101);
  ASSERT_EQ(third.size(), 2u);
  EXPECT_EQ(third[0].text(), "aaaa");
  EXPECT_EQ(third[0].towards, kForward);
  const auto partial = acknowledge(105);
  ASSERT_EQ(partial.size(), 2u);
  EXPECT_EQ(partial[0].text(), "bbbb");
  EXPECT_EQ(acknowledge(113).size(), 1u);
}

TEST_F(Acker, WhatItHasNoRoomForOnlyPasses) {
  ASSERT_TRUE(bench.shake_hands(box));
  const std::string large(1500, 'x');
  EXPECT_EQ(send(101, large).size(), 2u);
  EXPECT_EQ(send(1601, large).size(), 1u);
  acknowledge(3101);
  EXPECT_EQ(send(3101, large).size(), 2u);  // room again, and in order again
}

TEST_F(Acker, OutOfOrderOnlyPasses) {
  ASSERT_TRUE(bench.shake_hands(box));
  EXPECT_EQ(send(105, "bbbb").size(), 1u);
  EXPECT_EQ(send(101, "aaaa").size(), 2u);
}

TEST_F(Acker, TheWindowOfASynIsNotScaledButItsOwnAcksAre) {
  auto syn = segment(kForward, "S", 100);
  syn.options.window_scale = 7;
  auto syn_ack = segment(kBackward, "SA", 500, 101);
  syn_ack.options.window_scale = 3;
  syn_ack.window = 8000;
  bench.pass(box, kForward, syn);
  bench.pass(box, kBackward, syn_ack);
  bench.pass(box, kForward, segment(kForward, "A", 101, 501));
  const auto out = send(101, "data");
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out[0].segment.window, 1000);
}

TEST_F(Acker, WithoutScaleOnBothSidesItIsAsItIs) {
  auto syn_ack = segment(kBackward, "SA", 500, 101);
  syn_ack.options.window_scale = 3;
  syn_ack.window = 8000;
  bench.pass(box, kForward, segment(kForward, "S", 100));
  bench.pass(box, kBackward, syn_ack);
  bench.pass(box, kForward, segment(kForward, "A", 101, 501));
  EXPECT_EQ(send(101, "data")[0].segment.window, 8000);
}

TEST_F(Acker, AResetEndsIt) {
  ASSERT_TRUE(bench.shake_hands(box));
  send(101, "data");
  bench.pass(box, kBackward, segment(kBackward, "R", 501));
  EXPECT_TRUE(bench.wait(box, 10s).empty());
}

TEST_F(Acker, AFlowWhoseBeginningItDidNotSeeOnlyPasses) {
  EXPECT_EQ(send(101, "data").size(), 1u);
  EXPECT_EQ(acknowledge(105).size(), 1u);
}

}  // namespace
}  // namespace braid::sim
