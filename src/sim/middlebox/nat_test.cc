#include "sim/middlebox/nat.h"

#include "sim/middlebox/testing/box_bench.h"

namespace braid::sim {
namespace {

using testing::BoxBench;
using testing::client_to_server;
using testing::Emitted;
using testing::segment;
constexpr auto kForward = Direction::kForward, kBackward = Direction::kBackward;

const wire::IpAddress kOutside = wire::IpAddress::v4(0xcb007109);  // 203.0.113.9

class NatBox : public ::testing::Test {
 protected:
  static Nat::Config config() {
    Nat::Config made;
    made.outside_v4 = kOutside;
    made.idle_timeout = 300s;
    made.transitory_timeout = 10s;
    return made;
  }
  Emitted out(std::string_view flags, uint16_t port = 1000) {
    auto sent = segment(kForward, flags, 100, 501);
    sent.tuple.local.port = port;
    return bench.pass_one(box, kForward, sent);
  }
  /// To what the server saw.
  std::vector<Emitted> in(std::string_view flags, const wire::Endpoint& outside) {
    auto sent = segment(kBackward, flags, 500, 101);
    sent.tuple.remote = outside;
    return bench.pass(box, kBackward, sent);
  }
  wire::Endpoint establish(uint16_t port = 1000) {
    const wire::Endpoint outside = out("S", port).segment.tuple.remote;
    EXPECT_EQ(in("SA", outside).size(), 1u);
    out("A", port);
    return outside;
  }
  BoxBench bench;
  Nat box{config(), 7};
};

TEST_F(NatBox, TranslatesOutAndBack) {
  const Emitted syn = out("S");
  EXPECT_EQ(syn.segment.tuple.local, client_to_server().remote);
  EXPECT_EQ(syn.segment.tuple.remote.address, kOutside);
  const auto answer = in("SA", syn.segment.tuple.remote);
  ASSERT_EQ(answer.size(), 1u);
  EXPECT_EQ(answer[0].segment.tuple, client_to_server());
}

TEST_F(NatBox, TheMappingIsStable) {
  const wire::Endpoint outside = establish();
  EXPECT_EQ(out("A").segment.tuple.remote, outside);
  EXPECT_EQ(out("S").segment.tuple.remote, outside);
  EXPECT_EQ(box.mappings(), 1u);
}

TEST_F(NatBox, FlowsDoNotShareAPort) {
  auto narrow = config();
  narrow.first_port = 20000;
  narrow.last_port = 20001;
  box = Nat(narrow, 7);
  const uint16_t first = establish(1000).port, second = establish(1001).port;
  EXPECT_NE(first, second);
  EXPECT_EQ(std::min(first, second), 20000);
  EXPECT_EQ(std::max(first, second), 20001);
  auto third = segment(kForward, "S", 100);
  third.tuple.local.port = 1002;
  EXPECT_TRUE(bench.pass(box, kForward, third).empty());  // none is left
  third.tuple.remote.port = 81;                           // to another peer there is
  EXPECT_EQ(bench.pass(box, kForward, third).size(), 1u);
}

TEST_F(NatBox, OnlyASynOpensAMapping) {
  EXPECT_TRUE(bench.pass(box, kForward, segment(kForward, "A", 101, 501)).empty());
  EXPECT_TRUE(in("SA", {kOutside, 20000}).empty());
  EXPECT_EQ(box.totals().dropped, 2u);
}

TEST_F(NatBox, OthersDoNotGetIn) {
  const wire::Endpoint outside = establish();
  auto stranger = segment(kBackward, "A", 500, 101);
  stranger.tuple.remote = outside;
  stranger.tuple.local.port = 81;
  EXPECT_TRUE(bench.pass(box, kBackward, stranger).empty());
}

TEST_F(NatBox, IdleMappingsEnd) {
  const wire::Endpoint outside = establish();
  bench.now += 300s;
  EXPECT_EQ(in("A", outside).size(), 1u);  // and begins its time anew
  bench.now += 300s;
  EXPECT_EQ(in("A", outside).size(), 1u);
  bench.now += 301s;
  EXPECT_TRUE(in("A", outside).empty());
  EXPECT_TRUE(bench.pass(box, kForward, segment(kForward, "A", 101, 501)).empty());
}

TEST_F(NatBox, HalfOpenAndEndingOnesSooner) {
  const wire::Endpoint half_open = out("S").segment.tuple.remote;
  bench.now += 11s;
  EXPECT_TRUE(in("SA", half_open).empty());
  for (const char* const end : {"FA", "R"}) {
    const wire::Endpoint outside = establish();
    out(end);
    bench.now += 9s;
    EXPECT_EQ(in("A", outside).size(), 1u) << end;
    bench.now += 11s;
    EXPECT_TRUE(in("A", outside).empty()) << end;
  }
}

TEST_F(NatBox, APortIsFreeAgainWhenItsMappingIsStale) {
  auto narrow = config();
  narrow.first_port = narrow.last_port = 20000;
  box = Nat(narrow, 7);
  establish(1000);
  bench.now += 301s;
  EXPECT_EQ(out("S", 1001).segment.tuple.remote.port, 20000);
  EXPECT_EQ(box.mappings(), 1u);
}

TEST_F(NatBox, AfterARestartNothingIsKnown) {
  const wire::Endpoint outside = establish();
  box.forget_all();
  EXPECT_TRUE(in("A", outside).empty());
  EXPECT_TRUE(bench.pass(box, kForward, segment(kForward, "A", 101, 501)).empty());
}

TEST_F(NatBox, OrItAnswersWithAReset) {
  auto answering = config();
  answering.answers_unknown = true;
  box = Nat(answering, 7);
  const auto to_ack = bench.pass(box, kForward, segment(kForward, "A", 101, 501), "data");
  ASSERT_EQ(to_ack.size(), 1u);
  EXPECT_EQ(to_ack[0].towards, kBackward);
  EXPECT_EQ(to_ack[0].segment.tuple, client_to_server());
  EXPECT_EQ(to_ack[0].flags(), "R");
  EXPECT_EQ(to_ack[0].segment.seq, Seq32(501));
  const auto to_syn = in("S", {kOutside, 20000});
  ASSERT_EQ(to_syn.size(), 1u);
  EXPECT_EQ(to_syn[0].towards, kForward);
  EXPECT_EQ(to_syn[0].flags(), "AR");
  EXPECT_EQ(to_syn[0].segment.ack, Seq32(501));
  EXPECT_TRUE(in("R", {kOutside, 20000}).empty());
}

TEST_F(NatBox, ACorruptSegmentGetsNoAnswer) {
  auto answering = config();
  answering.answers_unknown = true;
  box = Nat(answering, 7);
  Packet packet = bench.packet(segment(kForward, "A", 101, 501), "data");
  writable_bytes(packet, bench.pool())[packet.bytes.size() - 1] ^= std::byte{1};
  packet.checksum = wire::ChecksumState::kUnverified;
  EXPECT_TRUE(bench.pass(box, kForward, packet).empty());
}

TEST_F(NatBox, WithoutAnOutsideAddressOnlyPortsChange) {
  box = Nat({}, 7);
  const Emitted syn = out("S");
  EXPECT_EQ(syn.segment.tuple.remote.address, client_to_server().local.address);
  EXPECT_GE(syn.segment.tuple.remote.port, 20000);
}

TEST_F(NatBox, IPv6Too) {
  auto six = config();
  six.outside_v6 = wire::IpAddress::parse("2001:db8::9");
  box = Nat(six, 7);
  auto syn = segment(kForward, "S", 100);
  syn.tuple = {*wire::Endpoint::parse("[2001:db8:1::1]:1000"), *wire::Endpoint::parse("[2001:db8:2::1]:80")};
  const wire::Endpoint outside = bench.pass_one(box, kForward, syn).segment.tuple.remote;
  EXPECT_EQ(outside.address, *six.outside_v6);
  auto answer = segment(kBackward, "SA", 500, 101);
  answer.tuple = {syn.tuple.remote, outside};
  EXPECT_EQ(bench.pass_one(box, kBackward, answer).segment.tuple, syn.tuple);
}

}  // namespace
}  // namespace braid::sim
