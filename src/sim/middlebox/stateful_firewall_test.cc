#include "sim/middlebox/stateful_firewall.h"

#include "sim/middlebox/testing/box_bench.h"

namespace braid::sim {
namespace {

using testing::BoxBench;
using testing::segment;
constexpr auto kForward = Direction::kForward, kBackward = Direction::kBackward;

TEST(StatefulFirewall, WantsToSeeTheSyn) {
  BoxBench bench;
  StatefulFirewall box({});
  EXPECT_TRUE(bench.pass(box, kForward, segment(kForward, "A", 101, 501), "data").empty());
  EXPECT_TRUE(bench.pass(box, kBackward, segment(kBackward, "SA", 500, 101)).empty());
  EXPECT_TRUE(bench.shake_hands(box));
  EXPECT_EQ(bench.pass_one(box, kForward, segment(kForward, "A", 101, 501), "data").text(), "data");
}

TEST(StatefulFirewall, OrNot) {
  BoxBench bench;
  StatefulFirewall box({.requires_syn = false});
  EXPECT_EQ(bench.pass(box, kForward, segment(kForward, "A", 101, 501), "data").size(), 1u);
}

TEST(StatefulFirewall, AResetEndsTheConnection) {
  BoxBench bench;
  StatefulFirewall box({});
  ASSERT_TRUE(bench.shake_hands(box));
  EXPECT_EQ(bench.pass(box, kBackward, segment(kBackward, "R", 501)).size(), 1u);
  EXPECT_TRUE(bench.pass(box, kForward, segment(kForward, "A", 101, 501), "data").empty());
}

TEST(StatefulFirewall, AcksOfDataThatDidNotPass) {
  BoxBench bench;
  StatefulFirewall box({.drops_unseen_acks = true});
  ASSERT_TRUE(bench.shake_hands(box));
  EXPECT_EQ(bench.pass(box, kForward, segment(kForward, "A", 101, 501), "data").size(), 1u);
  EXPECT_EQ(bench.pass(box, kBackward, segment(kBackward, "A", 501, 105)).size(), 1u);
  EXPECT_TRUE(bench.pass(box, kBackward, segment(kBackward, "A", 501, 106)).empty());
}

TEST(StatefulFirewall, DataAfterAHole) {
  BoxBench bench;
  StatefulFirewall box({.drops_after_hole = true});
  ASSERT_TRUE(bench.shake_hands(box));
  EXPECT_TRUE(bench.pass(box, kForward, segment(kForward, "A", 105, 501), "efgh").empty());
  EXPECT_EQ(bench.pass(box, kForward, segment(kForward, "A", 101, 501), "abcd").size(), 1u);
  EXPECT_EQ(bench.pass(box, kForward, segment(kForward, "A", 105, 501), "efgh").size(), 1u);
  EXPECT_EQ(bench.pass(box, kForward, segment(kForward, "A", 101, 501), "abcd").size(), 1u);  // again
}

TEST(StatefulFirewall, WindowsAsTheyStandInTheHeader) {
  BoxBench bench;
  StatefulFirewall box({.ignores_window_scale = true});
  ASSERT_TRUE(bench.shake_hands(box));  // windows of 1000: up to 1101
  const std::string data(1000, 'x');
  EXPECT_EQ(bench.pass(box, kForward, segment(kForward, "A", 101, 501), data).size(), 1u);
  EXPECT_TRUE(bench.pass(box, kForward, segment(kForward, "A", 1101, 501), "y").empty());
  EXPECT_EQ(bench.pass(box, kBackward, segment(kBackward, "A", 501, 1101)).size(), 1u);
  EXPECT_EQ(bench.pass(box, kForward, segment(kForward, "A", 1101, 501), "y").size(), 1u);
}

TEST(StatefulFirewall, ANewConnectionOnTheSamePortsIsJudgedByItsOwnNumbers) {
  BoxBench bench;
  StatefulFirewall box({.drops_unseen_acks = true, .drops_after_hole = true});
  ASSERT_TRUE(bench.shake_hands(box));
  // Half the space away, where the old numbers would be "later".
  const uint32_t client = 100 - 0x10000000u, server = 500 - 0x10000000u;
  EXPECT_EQ(bench.pass(box, kForward, segment(kForward, "S", client)).size(), 1u);
  EXPECT_EQ(bench.pass(box, kBackward, segment(kBackward, "SA", server, client + 1)).size(), 1u);
  EXPECT_TRUE(bench.pass(box, kForward, segment(kForward, "A", client + 9, server + 1), "hole").empty());
  EXPECT_TRUE(bench.pass(box, kBackward, segment(kBackward, "A", server + 1, client + 9)).empty());
  EXPECT_EQ(bench.pass(box, kForward, segment(kForward, "A", client + 1, server + 1), "data").size(), 1u);
}

TEST(StatefulFirewall, TheSameSynAgainForgetsNothing) {
  BoxBench bench;
  StatefulFirewall box({.drops_unseen_acks = true});
  ASSERT_TRUE(bench.shake_hands(box));
  EXPECT_EQ(bench.pass(box, kForward, segment(kForward, "A", 101, 501), "data").size(), 1u);
  EXPECT_EQ(bench.pass(box, kForward, segment(kForward, "S", 100)).size(), 1u);  // a late copy
  EXPECT_EQ(bench.pass(box, kBackward, segment(kBackward, "A", 501, 105)).size(), 1u);
}

TEST(StatefulFirewall, CorruptSegmentsAreDropped) {
  BoxBench bench;
  StatefulFirewall box({.requires_syn = false});
  Packet packet = bench.packet(segment(kForward, "A", 101, 501), "data");
  writable_bytes(packet, bench.pool())[packet.bytes.size() - 1] ^= std::byte{1};
  packet.checksum = wire::ChecksumState::kUnverified;
  EXPECT_TRUE(bench.pass(box, kForward, packet).empty());
}

}  // namespace
}  // namespace braid::sim
