#include "sim/middlebox/syn_option_dropper.h"

#include "sim/middlebox/testing/box_bench.h"

namespace braid::sim {
namespace {

using testing::BoxBench;
using testing::segment;
constexpr auto kForward = Direction::kForward, kBackward = Direction::kBackward;

wire::OutgoingSegment syn(Direction direction, const char* flags) {
  auto made = segment(direction, flags, 100, direction == kForward ? 0 : 101);
  made.options.mptcp.push_back(wire::MpCapable{});
  return made;
}

TEST(SynOptionDropper, DropsSynsWithMptcpOnly) {
  BoxBench bench;
  SynOptionDropper box({});
  EXPECT_TRUE(bench.pass(box, kForward, syn(kForward, "S")).empty());
  EXPECT_EQ(bench.pass(box, kForward, segment(kForward, "S", 100)).size(), 1u);
  EXPECT_EQ(bench.pass(box, kBackward, syn(kBackward, "SA")).size(), 1u);
  EXPECT_EQ(box.totals().dropped, 1u);
}

TEST(SynOptionDropper, OrSynAcks) {
  BoxBench bench;
  SynOptionDropper box({.drops_syn = false, .drops_syn_ack = true});
  EXPECT_EQ(bench.pass(box, kForward, syn(kForward, "S")).size(), 1u);
  EXPECT_TRUE(bench.pass(box, kBackward, syn(kBackward, "SA")).empty());
}

TEST(SynOptionDropper, SoManyOfAFlow) {
  BoxBench bench;
  SynOptionDropper box({.most = 2});
  EXPECT_TRUE(bench.pass(box, kForward, syn(kForward, "S")).empty());
  EXPECT_TRUE(bench.pass(box, kForward, syn(kForward, "S")).empty());
  EXPECT_EQ(bench.pass(box, kForward, syn(kForward, "S")).size(), 1u);
  auto other = syn(kForward, "S");
  other.tuple.local.port = 1001;
  EXPECT_TRUE(bench.pass(box, kForward, other).empty());
}

TEST(SynOptionDropper, OptionsOfDataAreNoMatter) {
  BoxBench bench;
  SynOptionDropper box({});
  EXPECT_EQ(bench.pass(box, kForward, syn(kForward, "A"), "data").size(), 1u);
}

}  // namespace
}  // namespace braid::sim
