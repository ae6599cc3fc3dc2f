#include "sim/middlebox/port_blocker.h"

#include "sim/middlebox/testing/box_bench.h"

namespace braid::sim {
namespace {

using testing::BoxBench;
using testing::Emitted;
using testing::segment;
constexpr auto kForward = Direction::kForward, kBackward = Direction::kBackward;

std::vector<Emitted> send(BoxBench& bench, PortBlocker& box, uint16_t port, const char* flags = "S",
                          std::string_view payload = "") {
  auto sent = segment(kForward, flags, 100, 501);
  sent.tuple.remote.port = port;
  return bench.pass(box, kForward, sent, payload);
}

TEST(PortBlocker, DropsWhatGoesToThesePorts) {
  BoxBench bench;
  PortBlocker box({.ports = {{80, 80}, {8000, 8999}}});
  for (const uint16_t port : {80, 8000, 8500, 8999}) EXPECT_TRUE(send(bench, box, port).empty()) << port;
  for (const uint16_t port : {79, 81, 7999, 9000}) EXPECT_EQ(send(bench, box, port).size(), 1u) << port;
  EXPECT_TRUE(send(bench, box, 80, "A", "data").empty());
  EXPECT_EQ(box.totals().dropped, 5u);
  EXPECT_EQ(box.totals().passed, 4u);
}

TEST(PortBlocker, NotWhatComesFromThem) {
  BoxBench bench;
  PortBlocker box({.ports = {{80, 80}}, .backward = true});
  EXPECT_EQ(bench.pass(box, kBackward, segment(kBackward, "A", 501, 101)).size(), 1u);
}

TEST(PortBlocker, NorInTheOtherDirection) {
  BoxBench bench;
  PortBlocker box({.ports = {{1000, 1000}}});
  EXPECT_EQ(bench.pass(box, kBackward, segment(kBackward, "A", 501, 101)).size(), 1u);
  PortBlocker both({.ports = {{1000, 1000}}, .backward = true});
  EXPECT_TRUE(bench.pass(both, kBackward, segment(kBackward, "A", 501, 101)).empty());
}

TEST(PortBlocker, OrResets) {
  BoxBench bench;
  PortBlocker box({.ports = {{80, 80}}, .resets = true});
  const auto to_syn = send(bench, box, 80);
  ASSERT_EQ(to_syn.size(), 1u);
  EXPECT_EQ(to_syn[0].towards, kBackward);
  EXPECT_EQ(to_syn[0].segment.tuple, testing::client_to_server());
  EXPECT_EQ(to_syn[0].flags(), "AR");
  EXPECT_EQ(to_syn[0].segment.ack, Seq32(101));
  const auto to_data = send(bench, box, 80, "A", "data");
  ASSERT_EQ(to_data.size(), 1u);
  EXPECT_EQ(to_data[0].flags(), "R");
  EXPECT_EQ(to_data[0].segment.seq, Seq32(501));
  EXPECT_TRUE(send(bench, box, 80, "R").empty());
  EXPECT_EQ(box.totals().made, 2u);
}

}  // namespace
}  // namespace braid::sim
