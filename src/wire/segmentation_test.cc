#include "wire/segmentation.h"

#include "wire/byte_order.h"
#include "wire/generators_test.h"

namespace braid::wire {
namespace {

using test::any;
using test::below;
using test::Bytes;

class Segmentation : public ::testing::Test {
 protected:
  ReceivedPacket flat(const OutgoingSegment& segment, uint16_t identification = 0xfffe) {
    OutgoingPacket packet;
    build_packet(segment, OffloadSupport::kFull, identification, packet);
    return flatten(packet, pool_);
  }
  OutgoingSegment super_segment(size_t payload, uint16_t mss) {
    OutgoingSegment s;
    s.tuple = {*Endpoint::parse("192.0.2.1:4000"), *Endpoint::parse("198.51.100.2:80")};
    s.seq = Seq32(0xfffffff0);
    s.flags.ack = true;
    s.mss = mss;
    Bytes bytes(payload);
    for (size_t i = 0; i < payload; ++i) bytes[i] = static_cast<std::byte>(i);
    s.payload.push_back(copy_to_slice(pool_, bytes));
    return s;
  }
  std::vector<ReceivedPacket> cut(const ReceivedPacket& packet) {
    std::vector<ReceivedPacket> pieces;
    cut_packet(packet, pool_, [&](ReceivedPacket piece) { pieces.push_back(std::move(piece)); });
    return pieces;
  }
  ChunkPool pool_;
};

/// The pieces are what the segment would have been if its sender had cut it.
RC_GTEST_FIXTURE_PROP(Segmentation, CuttingThePacketAndCuttingTheSegmentComeToTheSame, ()) {
  OutgoingSegment segment = test::any_segment(pool_, 6000);
  segment.mss = static_cast<uint16_t>(1 + below(1500));
  const auto identification = any<uint16_t>();
  const auto pieces = cut(flat(segment, identification));
  size_t i = 0;
  cut_super_segment(segment, [&](const OutgoingSegment& piece) {
    RC_ASSERT(i < pieces.size());
    OutgoingPacket expected;
    build_packet(piece, OffloadSupport::kNone, static_cast<uint16_t>(identification + i), expected);
    const ReceivedPacket expected_flat = flatten(expected, pool_);
    const auto a = pieces[i].bytes.bytes(), b = expected_flat.bytes.bytes();
    RC_ASSERT(std::equal(a.begin(), a.end(), b.begin(), b.end()));
    RC_ASSERT(pieces[i].gso_size == 0);
    RC_ASSERT(std::holds_alternative<TcpSegment>(parse_packet(pieces[i])));
    ++i;
  });
  RC_ASSERT(i == pieces.size());
}

RC_GTEST_FIXTURE_PROP(Segmentation, PiecesPutTogetherAreTheWhole, ()) {
  OutgoingSegment segment = test::any_segment(pool_, 6000);
  segment.mss = static_cast<uint16_t>(1 + below(1500));
  const ReceivedPacket packet = flat(segment);
  const auto whole_result = parse_packet(packet);
  const auto& whole = std::get<TcpSegment>(whole_result);
  Bytes joined;
  const auto pieces = cut(packet);
  for (const ReceivedPacket& piece : pieces) {
    const auto result = parse_packet(piece);
    const auto& part = std::get<TcpSegment>(result);
    RC_ASSERT(part.seq == whole.seq + static_cast<uint32_t>(joined.size()));
    RC_ASSERT(part.options == whole.options);
    RC_ASSERT(part.payload.size() <= segment.mss);
    joined.insert(joined.end(), part.payload.bytes().begin(), part.payload.bytes().end());
  }
  RC_ASSERT(pieces.size() == whole.segment_count);
  RC_ASSERT(
      std::equal(joined.begin(), joined.end(), whole.payload.bytes().begin(), whole.payload.bytes().end()));
}

TEST_F(Segmentation, FlagsStandOnThePieceThatTheyBelongTo) {
  OutgoingSegment segment = super_segment(25, 10);
  segment.flags.fin = segment.flags.psh = segment.flags.cwr = segment.flags.ece = true;
  const auto pieces = cut(flat(segment));
  ASSERT_EQ(pieces.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    const auto result = parse_packet(pieces[i]);
    const TcpFlags& flags = std::get<TcpSegment>(result).flags;
    EXPECT_EQ(flags.fin, i == 2);
    EXPECT_EQ(flags.psh, i == 2);
    EXPECT_EQ(flags.cwr, i == 0);
    EXPECT_TRUE(flags.ece && flags.ack);
    EXPECT_EQ(load16(pieces[i].bytes.data() + 4), static_cast<uint16_t>(0xfffe + i));
  }
}

TEST_F(Segmentation, WhatNeedsNoCuttingPassesWithoutACopy) {
  const ReceivedPacket small = flat(super_segment(10, 10));
  ReceivedPacket ample = small;
  ample.gso_size = 10;
  ReceivedPacket garbage{copy_to_slice(pool_, test::hex("4500 ffff 00")), 1, ChecksumState::kUnverified};
  for (const ReceivedPacket& packet : {small, ample, garbage}) {
    const auto pieces = cut(packet);
    ASSERT_EQ(pieces.size(), 1u);
    EXPECT_EQ(pieces[0].bytes.data(), packet.bytes.data());
    EXPECT_EQ(pieces[0].bytes.size(), packet.bytes.size());
    EXPECT_EQ(pieces[0].gso_size, 0);
  }
}

TEST_F(Segmentation, CuttingDoesNotHideCorruption) {
  const ReceivedPacket good = flat(super_segment(25, 10));
  Bytes bytes(good.bytes.bytes().begin(), good.bytes.bytes().end());
  bytes[50] ^= std::byte{4};
  const auto pieces = cut({copy_to_slice(pool_, bytes), 10, ChecksumState::kUnverified});
  ASSERT_EQ(pieces.size(), 3u);
  for (const ReceivedPacket& piece : pieces) {
    EXPECT_EQ(std::get<ParseError>(parse_packet(piece)), ParseError::kBadTcpChecksum);
  }
}

TEST_F(Segmentation, ExtensionHeadersAreCopiedToEachPiece) {
  OutgoingSegment segment = super_segment(25, 10);
  segment.tuple = {*Endpoint::parse("[2001:db8::1]:4000"), *Endpoint::parse("[2001:db8::2]:80")};
  const ReceivedPacket plain = flat(segment);
  Bytes bytes(plain.bytes.bytes().begin(), plain.bytes.bytes().end());
  const Bytes destination_options = test::hex("0600 01040000 0000");
  bytes.insert(bytes.begin() + 40, destination_options.begin(), destination_options.end());
  store8(bytes.data() + 6, 60);
  store16(bytes.data() + 4, static_cast<uint16_t>(bytes.size() - 40));
  const auto pieces = cut({copy_to_slice(pool_, bytes), 10, ChecksumState::kUnverified});
  ASSERT_EQ(pieces.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(pieces[i].bytes.size(), 40 + 8 + 20 + (i < 2 ? 10u : 5u));
    EXPECT_TRUE(std::holds_alternative<TcpSegment>(parse_packet(pieces[i])));
  }
}

}  // namespace
}  // namespace braid::wire
