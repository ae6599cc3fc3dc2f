#include "wire/packet.h"

#include <algorithm>
#include <functional>

#include "wire/byte_order.h"
#include "wire/checksum.h"
#include "wire/generators_test.h"
#include "wire/ip_header.h"

namespace braid::wire {
namespace {

using test::any;
using test::below;
using test::Bytes;
using test::hex;

Bytes payload_of(const OutgoingSegment& segment) {
  Bytes bytes;
  for (const Slice& slice : segment.payload)
    bytes.insert(bytes.end(), slice.bytes().begin(), slice.bytes().end());
  return bytes;
}

Bytes to_bytes(const Slice& slice) { return {slice.bytes().begin(), slice.bytes().end()}; }

class Packets : public ::testing::Test {
 protected:
  ReceivedPacket received(const Bytes& bytes, ChecksumState checksum = ChecksumState::kUnverified) {
    return {copy_to_slice(pool_, bytes), 0, checksum};
  }
  ReceivedPacket built(const OutgoingSegment& segment, OffloadSupport offload = OffloadSupport::kNone) {
    OutgoingPacket packet;
    build_packet(segment, offload, 0x4321, packet);
    return flatten(packet, pool_);
  }
  ParsedPacket parsed(const Bytes& bytes, ChecksumState checksum = ChecksumState::kUnverified) {
    return parse_packet(received(bytes, checksum));
  }
  OutgoingSegment segment(Family family, std::string_view payload = "hello") {
    OutgoingSegment s;
    s.tuple = family == Family::kV4
                  ? FourTuple{*Endpoint::parse("192.0.2.1:4000"), *Endpoint::parse("198.51.100.2:80")}
                  : FourTuple{*Endpoint::parse("[2001:db8::1]:4000"), *Endpoint::parse("[2001:db8::2]:80")};
    s.seq = Seq32(1000);
    s.ack = Seq32(2000);
    s.flags.ack = true;
    s.window = 512;
    if (!payload.empty()) s.payload.push_back(copy_to_slice(pool_, std::as_bytes(std::span(payload))));
    return s;
  }
  ChunkPool pool_;
};

TEST_F(Packets, OfIpv4AreWrittenOctetByOctet) {
  OutgoingSegment s = segment(Family::kV4, "ab");
  s.flags.psh = true;
  s.traffic_class = 0xb8;
  OutgoingPacket packet;
  build_packet(s, OffloadSupport::kNone, 0x4321, packet);
  EXPECT_FALSE(packet.is_checksum_partial);
  EXPECT_EQ(to_bytes(flatten(packet, pool_).bytes),
            hex("45b8 002a 4321 4000 4006 0abe c0000201 c6336402"
                "0fa0 0050 000003e8 000007d0 5018 0200 4489 0000 6162"));
}

TEST_F(Packets, OfIpv6AreWrittenOctetByOctet) {
  OutgoingSegment s = segment(Family::kV6, "ab");
  s.traffic_class = 0xb8;
  OutgoingPacket packet;
  build_packet(s, OffloadSupport::kNone, 0x4321, packet);
  EXPECT_EQ(to_bytes(flatten(packet, pool_).bytes),
            hex("6b800000 0016 06 40 20010db8000000000000000000000001 20010db8000000000000000000000002"
                "0fa0 0050 000003e8 000007d0 5010 0200 d553 0000 6162"));
}

// A SYN as a Linux client sends it, with every checksum as it was on the wire.
TEST_F(Packets, OfALinuxClientParse) {
  const auto packet = parsed(
      hex("4500 0040 1c46 4000 4006 9a6e c0000201 c0000202 9c40 1f90 11223344 00000000 b002 faf0 e666 0000"
          "0204 05b4 0402 080a 00a1b2c3 00000000 0103 0307 1e04 01 01"));
  const auto* s = std::get_if<TcpSegment>(&packet);
  ASSERT_NE(s, nullptr);
  EXPECT_EQ(s->tuple.local, *Endpoint::parse("192.0.2.2:8080"));
  EXPECT_EQ(s->tuple.remote, *Endpoint::parse("192.0.2.1:40000"));
  EXPECT_EQ(s->seq, Seq32(0x11223344));
  EXPECT_TRUE(s->flags.syn && !s->flags.ack);
  EXPECT_EQ(s->window, 64240);
  EXPECT_EQ(s->options.mss, 1460);
  EXPECT_NE(find<MpCapable>(s->options.mptcp), nullptr);
  EXPECT_TRUE(s->payload.empty());
  EXPECT_EQ(s->sequence_length(), 1u);
}

void check_round_trip(const OutgoingSegment& sent, const ParsedPacket& packet) {
  const auto* got = std::get_if<TcpSegment>(&packet);
  RC_ASSERT(got != nullptr);
  RC_ASSERT(got->tuple.local == sent.tuple.remote);
  RC_ASSERT(got->tuple.remote == sent.tuple.local);
  RC_ASSERT(got->seq == sent.seq);
  RC_ASSERT(got->ack == sent.ack);
  RC_ASSERT(got->flags == sent.flags);
  RC_ASSERT(got->window == sent.window);
  RC_ASSERT(got->traffic_class == sent.traffic_class);
  RC_ASSERT(got->options == sent.options);
  RC_ASSERT(to_bytes(got->payload) == payload_of(sent));
}

RC_GTEST_FIXTURE_PROP(Packets, ParseAfterBuildIsTheIdentity, ()) {
  const OutgoingSegment sent = test::any_segment(pool_, 3000);
  for (const auto offload : {OffloadSupport::kNone, OffloadSupport::kChecksum, OffloadSupport::kFull}) {
    const ReceivedPacket packet = built(sent, offload);
    check_round_trip(sent, parse_packet(packet));
  }
}

RC_GTEST_FIXTURE_PROP(Packets, PartialAndWholeChecksumsComeToTheSame, ()) {
  const OutgoingSegment sent = test::any_segment(pool_, 3000);
  RC_ASSERT(to_bytes(built(sent, OffloadSupport::kNone).bytes) ==
            to_bytes(built(sent, OffloadSupport::kChecksum).bytes));
}

RC_GTEST_FIXTURE_PROP(Packets, EveryTruncationIsRefused, ()) {
  const Bytes whole = to_bytes(built(test::any_segment(pool_, 40)).bytes);
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto packet = parsed({whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size)});
    RC_ASSERT(std::get<ParseError>(packet) == ParseError::kTruncated);
  }
}

RC_GTEST_FIXTURE_PROP(Packets, EveryFlippedBitIsNoticed, ()) {
  const OutgoingSegment sent = test::any_segment(pool_, 60);
  Bytes bytes = to_bytes(built(sent).bytes);
  const size_t bit = below(bytes.size() * 8);
  const bool is_v6 = sent.tuple.local.address.is_v6();
  RC_PRE(!is_v6 || bit >= 64);  // IPv6 protects its addresses only
  bytes[bit / 8] ^= static_cast<std::byte>(0x80 >> bit % 8);
  RC_ASSERT(std::holds_alternative<ParseError>(parsed(bytes)));
}

TEST_F(Packets, AreTakenAtTheDevicesWordIfItVouchesForThem) {
  for (const Family family : {Family::kV4, Family::kV6}) {
    Bytes bytes = to_bytes(built(segment(family)).bytes);
    bytes.back() ^= std::byte{1};
    EXPECT_EQ(std::get<ParseError>(parsed(bytes)), ParseError::kBadTcpChecksum);
    EXPECT_TRUE(std::holds_alternative<TcpSegment>(parsed(bytes, ChecksumState::kValid)));
  }
}

TEST_F(Packets, LosePaddingBehindThem) {
  for (const Family family : {Family::kV4, Family::kV6}) {
    Bytes bytes = to_bytes(built(segment(family, "x")).bytes);
    bytes.insert(bytes.end(), 17, std::byte{0xee});
    const auto packet = parsed(bytes);
    ASSERT_TRUE(std::holds_alternative<TcpSegment>(packet));
    EXPECT_EQ(std::get<TcpSegment>(packet).payload.size(), 1u);
  }
}

void set_ipv4_checksum(Bytes& bytes) {
  const size_t size = (load8(bytes.data()) & 0xfu) * 4u;
  store16(bytes.data() + 10, 0);
  store16(bytes.data() + 10, ipv4_header_checksum({bytes.data(), size}));
}

Bytes edited(Bytes bytes, const std::function<void(std::byte*)>& edit) {
  edit(bytes.data());
  return bytes;
}

TEST_F(Packets, OfIpv4WithBadHeadersAreRefused) {
  const Bytes good = to_bytes(built(segment(Family::kV4)).bytes);
  const auto error = [&](const std::function<void(std::byte*)>& edit) {
    Bytes bytes = edited(good, edit);
    set_ipv4_checksum(bytes);
    const auto packet = parsed(bytes);
    return std::holds_alternative<ParseError>(packet) ? std::get<ParseError>(packet) : ParseError::kBadIcmp;
  };
  EXPECT_EQ(error([](std::byte* p) { store8(p, 0x44); }), ParseError::kBadHeaderLength);
  EXPECT_EQ(error([](std::byte* p) { store16(p + 2, 19); }), ParseError::kBadHeaderLength);
  EXPECT_EQ(error([](std::byte* p) { store16(p + 2, 2000); }), ParseError::kTruncated);
  EXPECT_EQ(error([](std::byte* p) { store16(p + 2, 39); }), ParseError::kBadTcpHeader);
  EXPECT_EQ(error([](std::byte* p) { store16(p + 6, 0x2000); }), ParseError::kFragment);
  EXPECT_EQ(error([](std::byte* p) { store16(p + 6, 0x0001); }), ParseError::kFragment);
  EXPECT_EQ(error([](std::byte* p) { store8(p + 9, 17); }), ParseError::kNotTcp);
  EXPECT_EQ(error([](std::byte* p) { store8(p + 9, kProtocolIcmpV6); }), ParseError::kNotTcp);
  EXPECT_EQ(error([](std::byte* p) { store8(p + 20 + 12, 0x40); }), ParseError::kBadTcpHeader);
  EXPECT_EQ(error([](std::byte* p) { store8(p + 20 + 12, 0x70); }), ParseError::kBadTcpHeader);
  EXPECT_EQ(std::get<ParseError>(parsed(edited(good, [](std::byte* p) { store8(p + 8, 63); }))),
            ParseError::kBadIpChecksum);
  EXPECT_EQ(std::get<ParseError>(parsed(edited(good, [](std::byte* p) { store8(p, 0x55); }))),
            ParseError::kBadVersion);
  EXPECT_EQ(std::get<ParseError>(parsed({})), ParseError::kTruncated);
}

TEST_F(Packets, Ipv4OptionsAreSkipped) {
  Bytes bytes = to_bytes(built(segment(Family::kV4)).bytes);
  const Bytes router_alert = hex("94040000");
  bytes.insert(bytes.begin() + 20, router_alert.begin(), router_alert.end());
  store8(bytes.data(), 0x46);
  store16(bytes.data() + 2, static_cast<uint16_t>(bytes.size()));
  set_ipv4_checksum(bytes);
  const auto packet = parsed(bytes);
  ASSERT_TRUE(std::holds_alternative<TcpSegment>(packet));
  EXPECT_EQ(std::get<TcpSegment>(packet).payload.size(), 5u);
}

/// An IPv6 packet with `extensions` (hex) in front of TCP; the first one is `first`.
Bytes with_extensions(Bytes bytes, uint8_t first, const char* extensions) {
  const Bytes extra = hex(extensions);
  bytes.insert(bytes.begin() + 40, extra.begin(), extra.end());
  store16(bytes.data() + 4, static_cast<uint16_t>(bytes.size() - 40));
  store8(bytes.data() + 6, first);
  return bytes;
}

TEST_F(Packets, Ipv6ExtensionHeadersAreSkipped) {
  const Bytes plain = to_bytes(built(segment(Family::kV6)).bytes);
  // Hop-by-hop, destination options of 16 octets, routing without segments left, authentication of 16, and a
  // fragment header around the whole.
  const auto packet = parsed(with_extensions(plain, 0,
                                             "3c00 050200000100  2b01 01040000 0000 01040000 00000000"
                                             "3300 0400 00000000  2c02 0000 00000001 00000001 00000000"
                                             "0600 0000 12345678"));
  ASSERT_TRUE(std::holds_alternative<TcpSegment>(packet));
  EXPECT_EQ(std::get<TcpSegment>(packet).payload.size(), 5u);
}

TEST_F(Packets, Ipv6FragmentsAndStrayRoutesAreRefused) {
  const Bytes plain = to_bytes(built(segment(Family::kV6)).bytes);
  const auto error = [&](uint8_t first, const char* extensions) {
    return std::get<ParseError>(parsed(with_extensions(plain, first, extensions)));
  };
  EXPECT_EQ(error(44, "0600 0001 12345678"), ParseError::kFragment);  // more to come
  EXPECT_EQ(error(44, "0600 0008 12345678"), ParseError::kFragment);  // not the first
  EXPECT_EQ(error(43, "0600 0401 00000000"), ParseError::kNotTcp);    // for somebody else
  EXPECT_EQ(error(60, "06ff 0000 00000000"), ParseError::kTruncated);
  EXPECT_EQ(error(51, "06ff 0000 00000000"), ParseError::kTruncated);
  EXPECT_EQ(error(59, ""), ParseError::kNotTcp);
}

TEST_F(Packets, ExtensionHeadersMayNotReachPastThePacket) {
  Bytes bytes = to_bytes(built(segment(Family::kV6, "")).bytes);
  bytes.resize(40);
  for (const uint8_t kind : {0, 43, 44, 51, 60, 135, 139, 140}) {
    for (size_t size = 0; size < 8; ++size) {
      Bytes cut = bytes;
      cut.resize(40 + size);
      store8(cut.data() + 6, kind);
      store16(cut.data() + 4, static_cast<uint16_t>(size));
      EXPECT_EQ(std::get<ParseError>(parsed(cut)), ParseError::kTruncated) << +kind << " of " << size;
    }
  }
}

TEST_F(Packets, APartialChecksumIsThePseudoHeadersSum) {
  for (const Family family : {Family::kV4, Family::kV6}) {
    const OutgoingSegment s = segment(family);
    OutgoingPacket packet;
    build_packet(s, OffloadSupport::kChecksum, 1, packet);
    EXPECT_TRUE(packet.is_checksum_partial);
    EXPECT_EQ(load16(packet.header.data() + packet.ip_header_size + 16),
              pseudo_header(s.tuple.local.address, s.tuple.remote.address, 25).sum());
  }
}

TEST_F(Packets, OnlySuperSegmentsForADeviceThatCutsThemHaveAGsoSize) {
  OutgoingSegment s = segment(Family::kV4, "0123456789");
  const auto gso_size = [&](uint16_t mss, OffloadSupport offload) {
    OutgoingPacket packet;
    s.mss = mss;
    build_packet(s, offload, 1, packet);
    return packet.gso_size;
  };
  EXPECT_EQ(gso_size(4, OffloadSupport::kFull), 4);
  EXPECT_EQ(gso_size(4, OffloadSupport::kChecksum), 0);
  EXPECT_EQ(gso_size(10, OffloadSupport::kFull), 0);
  EXPECT_EQ(gso_size(0, OffloadSupport::kFull), 0);
}

TEST_F(Packets, CountTheSegmentsThatTheyWere) {
  ReceivedPacket packet = received(to_bytes(built(segment(Family::kV4, "0123456789")).bytes));
  const auto count = [&](uint16_t gso_size) {
    packet.gso_size = gso_size;
    return std::get<TcpSegment>(parse_packet(packet)).segment_count;
  };
  EXPECT_EQ(count(0), 1);
  EXPECT_EQ(count(1), 10);
  EXPECT_EQ(count(3), 4);
  EXPECT_EQ(count(5), 2);
  EXPECT_EQ(count(10), 1);
  EXPECT_EQ(count(1460), 1);
}

TEST_F(Packets, TheLargestSuperSegmentFitsWithAllOptions) {
  OutgoingSegment s = segment(Family::kV4, "");
  s.mss = 1460;
  s.payload.push_back(copy_to_slice(pool_, Bytes(kMaxSuperSegmentPayload)));
  for (int i = 0; i < 10; ++i) s.options.mptcp.push_back(MpTcpRst{});
  const ReceivedPacket packet = built(s, OffloadSupport::kFull);
  EXPECT_EQ(packet.bytes.size(), 20 + 20 + 40 + kMaxSuperSegmentPayload);
  EXPECT_EQ(packet.gso_size, 1460);
  const auto parsed_packet = parse_packet(packet);
  EXPECT_EQ(std::get<TcpSegment>(parsed_packet).segment_count, 44);
}

TEST_F(Packets, PayloadIsASliceOfThePacketNotACopy) {
  const ReceivedPacket packet = built(segment(Family::kV4));
  const auto result = parse_packet(packet);
  EXPECT_EQ(std::get<TcpSegment>(result).payload.data(), packet.bytes.data() + 40);
}

RC_GTEST_FIXTURE_PROP(Packets, AnyOctetsAreJudgedWithoutReadingPastThem, ()) {
  Bytes bytes = test::any_bytes(below(120));
  if (!bytes.empty() && any<bool>()) bytes[0] = any<bool>() ? std::byte{0x45} : std::byte{0x60};
  if (bytes.size() >= 20 && load8(bytes.data()) == 0x45) {
    store16(bytes.data() + 2, static_cast<uint16_t>(bytes.size()));
    store16(bytes.data() + 6, 0);
    store8(bytes.data() + 9, any<bool>() ? kProtocolTcp : kProtocolIcmp);
    set_ipv4_checksum(bytes);
  }
  (void)parsed(bytes, ChecksumState::kValid);
}

}  // namespace
}  // namespace braid::wire
