#include "sim/middlebox/splitter.h"

#include "sim/middlebox/testing/box_bench.h"

namespace braid::sim {
namespace {

using testing::BoxBench;
using testing::segment;
constexpr auto kForward = Direction::kForward;

TEST(Splitter, CutsWithTheOptionsOnEachPiece) {
  BoxBench bench;
  Splitter box(4);
  auto whole = segment(kForward, "PAF", 101, 501);
  wire::Dss dss;
  dss.data_ack = wire::WideOrNarrow{77, false};
  dss.mapping = wire::DssMapping{{5, false}, 1, 10, std::nullopt};
  whole.options.mptcp.push_back(dss);
  const auto out = bench.pass(box, kForward, whole, "0123456789");
  ASSERT_EQ(out.size(), 3u);
  EXPECT_EQ(out[0].text() + "|" + out[1].text() + "|" + out[2].text(), "0123|4567|89");
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(out[i].segment.seq, Seq32(101 + 4 * static_cast<uint32_t>(i)));
    EXPECT_EQ(out[i].segment.options, whole.options);
    EXPECT_EQ(out[i].flags(), i == 2 ? "AFP" : "A");
  }
  EXPECT_EQ(box.totals().made, 2u);
}

TEST(Splitter, LeavesSmallOnesAndThoseWithoutPayload) {
  BoxBench bench;
  Splitter box(4);
  EXPECT_EQ(bench.pass_one(box, kForward, segment(kForward, "A", 101, 501), "0123").text(), "0123");
  EXPECT_EQ(bench.pass_one(box, kForward, segment(kForward, "S", 100)).flags(), "S");
  EXPECT_EQ(box.totals().passed, 2u);
}

TEST(Splitter, PiecesOfACorruptSegmentAreCorrupt) {
  BoxBench bench;
  bench.lets_bad_through = true;
  Splitter box(4);
  Packet packet = bench.packet(segment(kForward, "A", 101, 501), "01234567");
  writable_bytes(packet, bench.pool())[packet.bytes.size() - 1] ^= std::byte{1};
  packet.checksum = wire::ChecksumState::kUnverified;
  const auto out = bench.pass(box, kForward, packet);
  ASSERT_EQ(out.size(), 2u);
  for (const auto& piece : out) {
    EXPECT_EQ(std::get<wire::ParseError>(wire::parse_packet(piece.packet)),
              wire::ParseError::kBadTcpChecksum);
  }
}

}  // namespace
}  // namespace braid::sim
