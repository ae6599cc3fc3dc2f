#include "wire/byte_order.h"
#include "wire/checksum.h"
#include "wire/generators_test.h"
#include "wire/ip_header.h"
#include "wire/packet.h"

namespace braid::wire {
namespace {

using test::Bytes;
using test::hex;

// A segment of ours, 192.0.2.1:4000 -> 198.51.100.2:80, sequence number 1000; and 2001:db8::1 -> ::2.
constexpr const char* kQuotedV4 =
    "4500 002a 4321 4000 3b06 0000 c0000201 c6336402 0fa0 0050 000003e8 000007d0 5018 0200 8d4c 0000 6162";
constexpr const char* kQuotedV6 =
    "60000000 0016 06 3b 20010db8000000000000000000000001 20010db8000000000000000000000002"
    "0fa0 0050 000003e8 000007d0 5010 0200 1cfb 0000 6162";

class Icmp : public ::testing::Test {
 protected:
  static Bytes message(uint8_t type, uint8_t code, uint32_t rest, const Bytes& quoted) {
    Bytes bytes(8);
    store8(bytes.data(), type);
    store8(bytes.data() + 1, code);
    store32(bytes.data() + 4, rest);
    bytes.insert(bytes.end(), quoted.begin(), quoted.end());
    return bytes;
  }
  static Bytes v4(Bytes icmp) {
    InternetChecksum sum;
    sum.add(icmp);
    store16(icmp.data() + 2, sum.checksum());
    Bytes bytes = hex("45c0 0000 0000 0000 4001 0000 cb007101 c0000201");
    store16(bytes.data() + 2, static_cast<uint16_t>(20 + icmp.size()));
    store16(bytes.data() + 10, ipv4_header_checksum(bytes));
    bytes.insert(bytes.end(), icmp.begin(), icmp.end());
    return bytes;
  }
  static Bytes v6(Bytes icmp) {
    Bytes bytes =
        hex("60000000 0000 3a 40 20010db80000000000000000000000ff 20010db8000000000000000000000001");
    InternetChecksum sum;
    sum.add(std::span(bytes).subspan(8, 32));
    sum.add32(static_cast<uint32_t>(icmp.size()));
    sum.add32(kProtocolIcmpV6);
    sum.add(icmp);
    store16(icmp.data() + 2, sum.checksum());
    store16(bytes.data() + 4, static_cast<uint16_t>(icmp.size()));
    bytes.insert(bytes.end(), icmp.begin(), icmp.end());
    return bytes;
  }
  ParsedPacket parsed(const Bytes& bytes) {
    return parse_packet({copy_to_slice(pool_, bytes), 0, ChecksumState::kUnverified});
  }
  IcmpError error(const Bytes& bytes) {
    const auto packet = parsed(bytes);
    if (const auto* found = std::get_if<IcmpError>(&packet)) return *found;
    ADD_FAILURE() << "not read as an ICMP error";
    return {};
  }
  ParseError refusal(const Bytes& bytes) {
    const auto packet = parsed(bytes);
    if (const auto* found = std::get_if<ParseError>(&packet)) return *found;
    ADD_FAILURE() << "not refused";
    return {};
  }
  ChunkPool pool_;
};

TEST_F(Icmp, NamesTheSegmentThatItIsAbout) {
  const IcmpError got = error(v4(message(3, 4, 1400, hex(kQuotedV4))));
  EXPECT_EQ(got.kind, IcmpErrorKind::kPacketTooBig);
  EXPECT_EQ(got.mtu, 1400u);
  EXPECT_EQ(got.tuple.local, *Endpoint::parse("192.0.2.1:4000"));
  EXPECT_EQ(got.tuple.remote, *Endpoint::parse("198.51.100.2:80"));
  EXPECT_EQ(got.seq, Seq32(1000));
}

TEST_F(Icmp, OfIpv6NamesTheSegmentThatItIsAbout) {
  const IcmpError got = error(v6(message(2, 0, 1280, hex(kQuotedV6))));
  EXPECT_EQ(got.kind, IcmpErrorKind::kPacketTooBig);
  EXPECT_EQ(got.mtu, 1280u);
  EXPECT_EQ(got.tuple.local, *Endpoint::parse("[2001:db8::1]:4000"));
  EXPECT_EQ(got.tuple.remote, *Endpoint::parse("[2001:db8::2]:80"));
  EXPECT_EQ(got.seq, Seq32(1000));
}

TEST_F(Icmp, ARouterFromBeforeRfc1191SaysNoMtu) {
  EXPECT_EQ(error(v4(message(3, 4, 0, hex(kQuotedV4)))).mtu, 0u);
}

TEST_F(Icmp, KindsAreTold) {
  using K = IcmpErrorKind;
  const struct {
    uint8_t type, code;
    K kind;
  } of_v4[] = {
      {3, 0, K::kNetUnreachable},
      {3, 1, K::kHostUnreachable},
      {3, 2, K::kProtocolUnreachable},
      {3, 3, K::kPortUnreachable},
      {3, 5, K::kOther},
      {3, 6, K::kNetUnreachable},
      {3, 7, K::kHostUnreachable},
      {3, 9, K::kAdministrativelyProhibited},
      {3, 10, K::kAdministrativelyProhibited},
      {3, 11, K::kNetUnreachable},
      {3, 12, K::kHostUnreachable},
      {3, 13, K::kAdministrativelyProhibited},
      {3, 200, K::kOther},
      {4, 0, K::kOther},
      {11, 0, K::kTimeExceeded},
      {12, 0, K::kOther},
  };
  for (const auto& c : of_v4) {
    EXPECT_EQ(error(v4(message(c.type, c.code, 0, hex(kQuotedV4)))).kind, c.kind)
        << +c.type << "/" << +c.code;
  }
  const struct {
    uint8_t type, code;
    K kind;
  } of_v6[] = {
      {1, 0, K::kNetUnreachable},
      {1, 1, K::kAdministrativelyProhibited},
      {1, 2, K::kNetUnreachable},
      {1, 3, K::kHostUnreachable},
      {1, 4, K::kPortUnreachable},
      {1, 5, K::kAdministrativelyProhibited},
      {1, 6, K::kAdministrativelyProhibited},
      {1, 99, K::kOther},
      {3, 0, K::kTimeExceeded},
      {4, 0, K::kOther},
      {4, 1, K::kProtocolUnreachable},
  };
  for (const auto& c : of_v6) {
    EXPECT_EQ(error(v6(message(c.type, c.code, 0, hex(kQuotedV6)))).kind, c.kind)
        << +c.type << "/" << +c.code;
  }
}

TEST_F(Icmp, EightOctetsOfTheSegmentAreEnough) {
  Bytes quoted = hex(kQuotedV4);
  quoted.resize(28);
  EXPECT_EQ(error(v4(message(3, 1, 0, quoted))).seq, Seq32(1000));
}

TEST_F(Icmp, EveryTruncationOfTheQuoteIsRefused) {
  const Bytes v4_quote = hex(kQuotedV4), v6_quote = hex(kQuotedV6);
  for (ptrdiff_t size = 0; size < 28; ++size) {
    const Bytes cut(v4_quote.begin(), v4_quote.begin() + size);
    EXPECT_EQ(refusal(v4(message(3, 1, 0, cut))), ParseError::kBadIcmp) << size;
  }
  for (ptrdiff_t size = 0; size < 48; ++size) {
    const Bytes cut(v6_quote.begin(), v6_quote.begin() + size);
    EXPECT_EQ(refusal(v6(message(1, 0, 0, cut))), ParseError::kBadIcmp) << size;
  }
  EXPECT_EQ(refusal(v4(Bytes(7))), ParseError::kBadIcmp);
}

TEST_F(Icmp, ThatIsNoErrorOrNotAboutTcpIsNotForUs) {
  EXPECT_EQ(refusal(v4(message(8, 0, 0, {}))), ParseError::kNotTcp);
  EXPECT_EQ(refusal(v6(message(128, 0, 0, {}))), ParseError::kNotTcp);
  EXPECT_EQ(refusal(v6(message(135, 0, 0, Bytes(16)))), ParseError::kNotTcp);
  Bytes about_udp = hex(kQuotedV4);
  store8(about_udp.data() + 9, 17);
  EXPECT_EQ(refusal(v4(message(3, 3, 0, about_udp))), ParseError::kNotTcp);
}

TEST_F(Icmp, AboutALaterFragmentHasNoPortsToTrust) {
  Bytes quoted = hex(kQuotedV4);
  store16(quoted.data() + 6, 0x0010);
  EXPECT_EQ(refusal(v4(message(11, 1, 0, quoted))), ParseError::kBadIcmp);
}

TEST_F(Icmp, ThatMixesFamiliesIsRefused) {
  EXPECT_EQ(refusal(v4(message(3, 1, 0, hex(kQuotedV6)))), ParseError::kBadIcmp);
  EXPECT_EQ(refusal(v6(message(1, 0, 0, hex(kQuotedV4)))), ParseError::kBadIcmp);
}

TEST_F(Icmp, WithABadChecksumIsRefused) {
  for (Bytes bytes : {v4(message(3, 1, 0, hex(kQuotedV4))), v6(message(1, 0, 0, hex(kQuotedV6)))}) {
    bytes.back() ^= std::byte{1};
    EXPECT_EQ(refusal(bytes), ParseError::kBadIcmp);
  }
}

TEST_F(Icmp, QuotesPastIpOptionsAndExtensionHeaders) {
  Bytes quoted = hex(kQuotedV4);
  const Bytes router_alert = hex("94040000");
  quoted.insert(quoted.begin() + 20, router_alert.begin(), router_alert.end());
  store8(quoted.data(), 0x46);
  EXPECT_EQ(error(v4(message(3, 1, 0, quoted))).tuple.local.port, 4000);
  Bytes quoted_v6 = hex(kQuotedV6);
  const Bytes destination_options = hex("0600 01040000 0000");
  quoted_v6.insert(quoted_v6.begin() + 40, destination_options.begin(), destination_options.end());
  store8(quoted_v6.data() + 6, 60);
  EXPECT_EQ(error(v6(message(1, 0, 0, quoted_v6))).tuple.local.port, 4000);
}

}  // namespace
}  // namespace braid::wire
