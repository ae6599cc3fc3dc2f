#include "sim/middlebox/retransmission_normaliser.h"

#include "sim/middlebox/testing/box_bench.h"

namespace braid::sim {
namespace {

using testing::BoxBench;
using testing::segment;
constexpr auto kForward = Direction::kForward, kBackward = Direction::kBackward;

class Normaliser : public ::testing::Test {
 protected:
  Normaliser() { EXPECT_TRUE(bench.shake_hands(box)); }
  std::string send(uint32_t seq, std::string_view bytes) {
    return bench.pass_one(box, kForward, segment(kForward, "A", seq, 501), bytes).text();
  }
  BoxBench bench;
  RetransmissionNormaliser box{1000};
};

TEST_F(Normaliser, TheFirstCopyStands) {
  EXPECT_EQ(send(101, "abcd"), "abcd");
  EXPECT_EQ(send(101, "ABCD"), "abcd");
  EXPECT_EQ(box.totals().changed, 1u);
  EXPECT_EQ(send(101, "abcd"), "abcd");
  EXPECT_EQ(box.totals().changed, 1u);
}

TEST_F(Normaliser, InPartsAndAcrossPieces) {
  send(101, "abcd");
  send(105, "efgh");
  EXPECT_EQ(send(103, "XXXXXXYY"), "cdefghYY");
  EXPECT_EQ(send(109, "ZZZ"), "YYZ");
}

TEST_F(Normaliser, WhatCameAfterAHoleStandsToo) {
  send(101, "abcd");
  send(109, "ijkl");  // 105 to 108 got lost before the box
  EXPECT_EQ(send(109, "IJKL"), "ijkl");
  EXPECT_EQ(send(105, "efghXXXXmn"), "efghijklmn");
  EXPECT_EQ(send(115, "opqr"), "opqr");
  EXPECT_EQ(send(101, "XXXXXXXXXXXXXXXXXX"), "abcdefghijklmnopqr");
}

TEST_F(Normaliser, WhatIsAcknowledgedIsForgotten) {
  send(101, "abcd");
  send(105, "efgh");
  bench.pass(box, kBackward, segment(kBackward, "A", 501, 105));
  EXPECT_EQ(send(101, "XXXXXXXX"), "XXXXefgh");
}

TEST_F(Normaliser, RemembersNoMoreThanItMay) {
  const std::string half(600, 'a');
  send(101, half);
  send(701, half);  // the first had to go
  EXPECT_EQ(send(101, "b"), "b");
  EXPECT_EQ(send(701, "b"), "a");
}

TEST_F(Normaliser, NumbersMayWrap) {
  RetransmissionNormaliser fresh(1000);
  const auto data = [&](uint32_t seq, std::string_view bytes) {
    return bench.pass_one(fresh, kForward, segment(kForward, "A", seq, 501), bytes).text();
  };
  bench.pass(fresh, kForward, segment(kForward, "S", 0xfffffffcu));
  EXPECT_EQ(data(0xfffffffdu, "abcdef"), "abcdef");
  EXPECT_EQ(data(1, "XX"), "ef");
  EXPECT_EQ(data(0xfffffffeu, "XXXXXXX"), "bcdefXX");
}

TEST_F(Normaliser, ASynBeginsAnew) {
  send(101, "abcd");
  bench.pass(box, kForward, segment(kForward, "S", 100));
  EXPECT_EQ(send(101, "ABCD"), "ABCD");
}

TEST_F(Normaliser, ACorruptCopyIsNoFirstCopy) {
  bench.lets_bad_through = true;
  Packet packet = bench.packet(segment(kForward, "A", 101, 501), "abXd");
  writable_bytes(packet, bench.pool())[packet.bytes.size() - 2] = std::byte{'c'};
  packet.checksum = wire::ChecksumState::kUnverified;
  bench.pass(box, kForward, packet);
  EXPECT_EQ(send(101, "ABCD"), "ABCD");
}

}  // namespace
}  // namespace braid::sim
