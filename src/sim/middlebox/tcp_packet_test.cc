#include "sim/middlebox/tcp_packet.h"

#include "sim/middlebox/testing/box_bench.h"

namespace braid::sim {
namespace {

using testing::BoxBench;
using testing::segment;

wire::OutgoingSegment segment_of(wire::Family family) {
  auto made = segment(Direction::kForward, "A", 101, 501);
  if (family == wire::Family::kV6)
    made.tuple = {*wire::Endpoint::parse("[2001:db8::1]:1000"), *wire::Endpoint::parse("[2001:db8::2]:80")};
  made.options.timestamps = wire::Timestamps{1, 2};
  return made;
}
wire::ParsedPacket parse(Packet packet) {
  packet.checksum = wire::ChecksumState::kUnverified;
  return wire::parse_packet(packet);
}

class OpenPacket : public ::testing::TestWithParam<wire::Family> {
 protected:
  BoxBench bench;
  Packet packet = bench.packet(segment_of(GetParam()), "data");
};
INSTANTIATE_TEST_SUITE_P(Families, OpenPacket, ::testing::Values(wire::Family::kV4, wire::Family::kV6),
                         [](const auto& made) { return made.param == wire::Family::kV4 ? "V4" : "V6"; });

TEST_P(OpenPacket, ChangesComeOutWithRightChecksums) {
  auto tcp = TcpPacket::open(packet, bench.pool());
  ASSERT_TRUE(tcp.has_value());
  EXPECT_EQ(tcp->source(), segment_of(GetParam()).tuple.local);
  EXPECT_EQ(tcp->destination(), segment_of(GetParam()).tuple.remote);
  wire::Endpoint source = tcp->source();
  source.port = 4321;
  tcp->set_source(source);
  tcp->set_seq(Seq32(7));
  tcp->set_ack(Seq32(8));
  tcp->set_window(9);
  const std::string_view longer = "some more data";
  tcp->set_payload(std::as_bytes(std::span(longer.data(), longer.size())));
  const auto parsed = parse(std::move(*tcp).close());
  const auto& out = std::get<wire::TcpSegment>(parsed);
  EXPECT_EQ(out.tuple.remote, source);
  EXPECT_EQ(out.seq, Seq32(7));
  EXPECT_EQ(out.ack, Seq32(8));
  EXPECT_EQ(out.window, 9);
  EXPECT_EQ(out.payload.size(), longer.size());
  EXPECT_EQ(out.options, segment_of(GetParam()).options);
}

TEST_P(OpenPacket, OthersWhoHoldTheBytesDoNotSeeTheChange) {
  const Packet held = packet;
  auto tcp = TcpPacket::open(packet, bench.pool());
  tcp->set_seq(Seq32(7));
  const Packet changed = std::move(*tcp).close();
  EXPECT_EQ(std::get<wire::TcpSegment>(parse(held)).seq, Seq32(101));
  EXPECT_EQ(std::get<wire::TcpSegment>(parse(changed)).seq, Seq32(7));
}

TEST_P(OpenPacket, WhatWasCorruptStaysCorrupt) {
  writable_bytes(packet, bench.pool())[packet.bytes.size() - 1] ^= std::byte{1};
  packet.checksum = wire::ChecksumState::kUnverified;
  auto tcp = TcpPacket::open(packet, bench.pool());
  EXPECT_FALSE(tcp->is_intact());
  tcp->set_seq(Seq32(7));
  EXPECT_EQ(std::get<wire::ParseError>(parse(std::move(*tcp).close())), wire::ParseError::kBadTcpChecksum);
}

TEST_P(OpenPacket, NoTcpIsLeftAlone) {
  Packet cut = packet;
  cut.bytes.truncate(30);
  EXPECT_FALSE(TcpPacket::open(cut, bench.pool()).has_value());
  EXPECT_EQ(cut.bytes.size(), 30u);
}

}  // namespace
}  // namespace braid::sim
