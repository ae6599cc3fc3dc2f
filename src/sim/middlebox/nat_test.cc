#include "sim/middlebox/nat.h"

#include "sim/icmp_error.h"
#include "sim/middlebox/testing/box_bench.h"
#include "wire/byte_order.h"
#include "wire/ip_header.h"

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

TEST_F(NatBox, MappingsAreBounded) {
  const wire::Endpoint first = establish();
  auto sent = segment(kForward, "S", 100);
  const auto open = [&](size_t i) {
    sent.tuple.remote.address = wire::IpAddress::v4(0x0a000000 + static_cast<uint32_t>(i));
    bench.pass(box, kForward, sent);
  };
  for (size_t i = 1; i < Nat::kMostMappings; ++i) open(i);
  EXPECT_EQ(box.mappings(), Nat::kMostMappings);
  EXPECT_EQ(in("A", first).size(), 1u);
  bench.now += 1s;
  EXPECT_EQ(in("A", first).size(), 1u);
  open(Nat::kMostMappings);  // one that was used less lately goes
  EXPECT_EQ(box.mappings(), Nat::kMostMappings);
  EXPECT_EQ(in("A", first).size(), 1u);
  bench.now += 11s;  // all that never got an answer are stale
  open(Nat::kMostMappings + 1);
  EXPECT_EQ(box.mappings(), 2u);
  EXPECT_EQ(in("A", first).size(), 1u);
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

// ---- ICMP errors (RFC 5508)

class NatErrors : public ::testing::TestWithParam<wire::Family> {
 protected:
  NatErrors() {
    const bool is_v4 = GetParam() == wire::Family::kV4;
    const auto parse = [](const char* text) { return *wire::IpAddress::parse(text); };
    inside = is_v4 ? client_to_server()
                   : wire::FourTuple{*wire::Endpoint::parse("[2001:db8:1::1]:1000"),
                                     *wire::Endpoint::parse("[2001:db8:2::1]:80")};
    router = parse(is_v4 ? "198.51.100.77" : "2001:db8:7::7");
    Nat::Config config;
    config.outside_v4 = kOutside;
    config.outside_v6 = parse("2001:db8:9::9");
    config.answers_unknown = true;
    box = Nat(config, 7);
  }
  Packet outward(std::string_view flags, std::string_view payload = "") {
    auto sent = segment(kForward, flags, 100, 501);
    sent.tuple = inside;
    return bench.pass(box, kForward, bench.packet(sent, payload))[0].packet;
  }
  Packet inward(std::string_view flags) {
    auto sent = segment(kBackward, flags, 500, 101);
    sent.tuple = {inside.remote, outside};
    return bench.pass(box, kBackward, sent)[0].packet;
  }
  void establish() {
    wire::ReceivedPacket syn = outward("S");
    const auto parsed = wire::parse_packet(syn);
    outside = std::get<wire::TcpSegment>(parsed).tuple.remote;
    inward("SA");
    outward("A");
  }
  Packet error_about(const Packet& packet, const wire::IpAddress& from) {
    return *make_icmp_error(IcmpReason::kPacketTooBig, 1280, packet, from, bench.pool());
  }
  static wire::IcmpError parsed(Packet packet) {
    packet.checksum = wire::ChecksumState::kUnverified;
    return std::get<wire::IcmpError>(wire::parse_packet(packet));
  }
  static std::pair<wire::IpAddress, wire::IpAddress> ends_of(const Packet& packet) {
    wire::IpHeader ip;
    EXPECT_FALSE(wire::parse_ip_header(packet.bytes.bytes(), wire::IpContext::kPacket, ip).has_value());
    return {ip.source(), ip.destination()};
  }
  /// The quotation, which must be what was sent, checksums included.
  static void expect_quotes(const Packet& error, const Packet& sent) {
    const size_t headers = (GetParam() == wire::Family::kV4 ? 20 : 40) + 8;
    const auto quoted = error.bytes.bytes().subspan(headers);
    ASSERT_LE(quoted.size(), sent.bytes.size());
    EXPECT_TRUE(std::ranges::equal(quoted, sent.bytes.bytes().first(quoted.size())));
  }

  BoxBench bench;
  Nat box{{}, 7};
  wire::FourTuple inside;
  wire::Endpoint outside;
  wire::IpAddress router;
};
INSTANTIATE_TEST_SUITE_P(Families, NatErrors, ::testing::Values(wire::Family::kV4, wire::Family::kV6),
                         [](const auto& made) { return made.param == wire::Family::kV4 ? "V4" : "V6"; });

TEST_P(NatErrors, FromOutsideReachTheHostInItsOwnWords) {
  establish();
  auto sent = segment(kForward, "A", 101, 501);
  sent.tuple = inside;
  for (const size_t size : {10, 1200}) {  // quoted whole, or cut
    const std::string payload(size, 'x');
    const Packet original = bench.packet(sent, payload);
    const auto translated = bench.pass(box, kForward, sent, payload);
    const auto out = bench.pass(box, kBackward, error_about(translated[0].packet, router));
    ASSERT_EQ(out.size(), 1u);
    EXPECT_EQ(out[0].towards, kBackward);
    const wire::IcmpError error = parsed(out[0].packet);
    EXPECT_EQ(error.kind, wire::IcmpErrorKind::kPacketTooBig);
    EXPECT_EQ(error.mtu, 1280u);
    EXPECT_EQ(error.tuple, inside);
    EXPECT_EQ(error.seq, Seq32(101));
    EXPECT_EQ(ends_of(out[0].packet), std::pair(router, inside.local.address));
    expect_quotes(out[0].packet, original);
  }
}

TEST_P(NatErrors, FromInsideShowNothingOfTheInside) {
  establish();
  auto sent = segment(kBackward, "A", 501, 101);
  sent.tuple = {inside.remote, outside};
  const Packet original = bench.packet(sent, "data");
  const auto translated = bench.pass(box, kBackward, sent, "data");
  const auto out = bench.pass(box, kForward, error_about(translated[0].packet, inside.local.address));
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].towards, kForward);
  EXPECT_EQ(parsed(out[0].packet).tuple, (wire::FourTuple{inside.remote, outside}));
  EXPECT_EQ(ends_of(out[0].packet), std::pair(outside.address, inside.remote.address));
  expect_quotes(out[0].packet, original);
}

TEST_P(NatErrors, AboutWhatHasNoMappingAreDropped) {
  establish();
  const Packet seen = outward("A");
  box.forget_all();
  EXPECT_TRUE(bench.pass(box, kBackward, error_about(seen, router)).empty());
  EXPECT_EQ(box.totals().dropped, 1u);
}

TEST_P(NatErrors, KeepNoMappingAlive) {
  establish();
  const Packet seen = outward("A");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(bench.pass(box, kBackward, error_about(seen, router)).size(), 1u);
    bench.now += 100s;
  }
  bench.now += 1s;
  EXPECT_TRUE(bench.pass(box, kBackward, error_about(seen, router)).empty());
}

TEST_P(NatErrors, AShortQuotationIsEnough) {
  establish();
  Packet error = error_about(outward("A"), router);
  // All that RFC 792 promises of the segment: eight octets, without its checksum.
  const size_t ip = GetParam() == wire::Family::kV4 ? 20 : 40, size = ip + 8 + ip + 8;
  std::byte* const bytes = writable_bytes(error, bench.pool());
  error.bytes.truncate(size);
  if (ip == 20) {
    wire::store16(bytes + 2, static_cast<uint16_t>(size));
    wire::store16(bytes + 10, 0);
    wire::store16(bytes + 10, wire::ipv4_header_checksum({bytes, ip}));
  } else {
    wire::store16(bytes + 4, static_cast<uint16_t>(size - ip));
  }
  const auto out = bench.pass(box, kBackward, error);
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(parsed(out[0].packet).tuple, inside);
}

TEST_P(NatErrors, CorruptOnesPassAsTheyAre) {
  establish();
  Packet error = error_about(outward("A"), router);
  writable_bytes(error, bench.pool())[error.bytes.size() - 1] ^= std::byte{1};
  error.checksum = wire::ChecksumState::kUnverified;
  bench.lets_bad_through = true;
  const auto out = bench.pass(box, kBackward, error);
  ASSERT_EQ(out.size(), 1u);
  EXPECT_TRUE(std::ranges::equal(out[0].packet.bytes.bytes(), error.bytes.bytes()));
}

}  // namespace
}  // namespace braid::sim
