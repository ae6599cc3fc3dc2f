#include "service/capture/packets.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "wire/byte_order.h"
#include "wire/checksum.h"

namespace braid::service {
namespace {

struct PacketsTest : testing::TestWithParam<wire::Family> {
  bool is_v4() const { return GetParam() == wire::Family::kV4; }
  wire::Endpoint source = *wire::Endpoint::parse(is_v4() ? "192.0.2.1:4000" : "[2001:db8::1]:4000");
  wire::Endpoint destination = *wire::Endpoint::parse(is_v4() ? "198.51.100.2:53" : "[2001:db8::2]:53");
  ChunkPool pool;

  Slice bytes_of(std::string_view text) { return copy_to_slice(pool, std::as_bytes(std::span(text))); }
  static uint16_t sum_over(const PacketView& view) {
    wire::InternetChecksum sum;
    for (const wire::IpAddress* a : {&view.source, &view.destination})
      sum.add({reinterpret_cast<const std::byte*>(a->bytes().data()), a->size()});
    sum.add32(static_cast<uint32_t>(view.payload.size()));
    sum.add32(view.protocol);
    sum.add(view.payload);
    return sum.checksum();
  }
};

TEST_P(PacketsTest, ADatagramIsWhole) {
  const auto packet = wire::flatten(make_datagram(source, destination, bytes_of("question")), pool);
  const auto view = view_packet(packet.bytes.bytes());
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->source, source.address);
  EXPECT_EQ(view->destination, destination.address);
  EXPECT_EQ(view->protocol, kProtocolUdp);
  ASSERT_EQ(view->payload.size(), 16u);
  EXPECT_EQ(wire::load16(view->payload.data()), 4000);
  EXPECT_EQ(wire::load16(view->payload.data() + 2), 53);
  EXPECT_EQ(wire::load16(view->payload.data() + 4), 16);
  EXPECT_EQ(sum_over(*view), 0);
}

TEST_P(PacketsTest, AnEchoKeepsItsBytesAndGetsItsChecksum) {
  const Slice message = bytes_of(std::string("\0\0zz\x12\x34\0\1braided", 15));
  const auto packet =
      wire::flatten(make_icmp(source.address, destination.address, message.bytes(), pool), pool);
  const auto view = view_packet(packet.bytes.bytes());
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->protocol, is_v4() ? wire::kProtocolIcmp : wire::kProtocolIcmpV6);
  ASSERT_EQ(view->payload.size(), 15u);
  EXPECT_EQ(wire::load16(view->payload.data() + 4), 0x1234);
  wire::InternetChecksum sum;
  sum.add(view->payload);
  EXPECT_EQ(is_v4() ? sum.checksum() : sum_over(*view), 0);
}

// The engine reads it as it reads a router's.
TEST_P(PacketsTest, WhatIsToldOfASegmentIsUnderstood) {
  wire::OutgoingSegment syn;
  syn.tuple = {source, destination};
  syn.seq = Seq32(77);
  syn.flags.syn = true;
  wire::OutgoingPacket built;
  wire::build_packet(syn, wire::OffloadSupport::kNone, 0, built);
  const auto sent = wire::flatten(built, pool);
  const auto about = view_packet(sent.bytes.bytes());
  ASSERT_TRUE(about.has_value());
  const std::pair<int, wire::IcmpErrorKind> cases[] = {
      {ENETUNREACH, wire::IcmpErrorKind::kNetUnreachable},
      {EHOSTUNREACH, wire::IcmpErrorKind::kHostUnreachable},
      {ECONNREFUSED, wire::IcmpErrorKind::kPortUnreachable},
      {EACCES, wire::IcmpErrorKind::kAdministrativelyProhibited},
      {EMSGSIZE, wire::IcmpErrorKind::kPacketTooBig},
  };
  for (const auto& [error, kind] : cases) {
    const auto why = unreachable_for(error);
    ASSERT_TRUE(why.has_value());
    const auto packet = wire::flatten(make_unreachable(*about, *why, 1400, pool), pool);
    const wire::ParsedPacket parsed = wire::parse_packet(packet);
    const auto* icmp = std::get_if<wire::IcmpError>(&parsed);
    ASSERT_NE(icmp, nullptr) << error;
    EXPECT_EQ(icmp->kind, kind);
    EXPECT_EQ(icmp->tuple, syn.tuple);
    EXPECT_EQ(icmp->seq, Seq32(77));
    if (kind == wire::IcmpErrorKind::kPacketTooBig) {
      EXPECT_EQ(icmp->mtu, 1400u);
    }
  }
  EXPECT_FALSE(unreachable_for(ETIMEDOUT).has_value());
}

TEST_P(PacketsTest, DamagedOnesAreNotLookedInto) {
  const auto packet = wire::flatten(make_datagram(source, destination, bytes_of("question")), pool);
  EXPECT_FALSE(view_packet({}).has_value());
  EXPECT_FALSE(view_packet(packet.bytes.bytes().first(19)).has_value());
  EXPECT_FALSE(view_packet(packet.bytes.bytes().first(packet.bytes.size() - 1)).has_value());
}

INSTANTIATE_TEST_SUITE_P(Families, PacketsTest, testing::Values(wire::Family::kV4, wire::Family::kV6),
                         [](const auto& made) { return made.param == wire::Family::kV4 ? "V4" : "V6"; });

}  // namespace
}  // namespace braid::service
