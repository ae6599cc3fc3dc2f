#include "sim/middlebox/http_proxy.h"

#include "sim/middlebox/testing/box_bench.h"

namespace braid::sim {
namespace {

using testing::BoxBench;
using testing::segment;
constexpr auto kForward = Direction::kForward, kBackward = Direction::kBackward;

wire::OutgoingSegment syn(uint16_t port = 80) {
  auto made = segment(kForward, "S", 100);
  made.tuple.remote.port = port;
  made.options.mss = 1460;
  made.options.sack_permitted = true;
  made.options.timestamps = wire::Timestamps{1, 0};
  made.options.mptcp.push_back(wire::MpCapable{});
  return made;
}

TEST(HttpProxy, TakesTheOptionsAndHasNumbersOfItsOwn) {
  BoxBench bench;
  HttpProxy box(80, 7);
  const auto out = bench.pass_one(box, kForward, syn()).segment;
  EXPECT_NE(out.seq, Seq32(100));
  EXPECT_TRUE(out.options.mptcp.empty());
  EXPECT_FALSE(out.options.sack_permitted || out.options.timestamps.has_value());
  EXPECT_EQ(out.options.mss, 1460);
}

TEST(HttpProxy, AcknowledgesAtOnceInTheClientsNumbers) {
  BoxBench bench;
  HttpProxy box(80, 7);
  const Seq32 client = bench.pass_one(box, kForward, syn()).segment.seq;
  const auto answer =
      bench.pass_one(box, kBackward, segment(kBackward, "SA", 500, client.value() + 1)).segment;
  EXPECT_EQ(answer.ack, Seq32(101));
  const auto out = bench.pass(box, kForward, segment(kForward, "A", 101, answer.seq.value() + 1), "GET /");
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out[0].towards, kBackward);
  EXPECT_EQ(out[0].segment.ack, Seq32(106));
  EXPECT_EQ(out[0].segment.seq, answer.seq + 1);
  EXPECT_EQ(out[1].segment.seq, client + 1);
  EXPECT_EQ(out[1].segment.ack, Seq32(501));
  EXPECT_EQ(out[1].text(), "GET /");
  const auto again = bench.wait(box, 300ms);  // nothing came back from the server
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].segment.seq, client + 1);
}

TEST(HttpProxy, OtherPortsPass) {
  BoxBench bench;
  HttpProxy box(80, 7);
  const auto out = bench.pass_one(box, kForward, syn(443)).segment;
  EXPECT_EQ(out.seq, Seq32(100));
  EXPECT_EQ(out.options, syn(443).options);
  EXPECT_EQ(box.totals().passed, 1u);
}

}  // namespace
}  // namespace braid::sim
