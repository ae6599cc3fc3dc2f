#include "wire/mptcp_options.h"

#include "wire/generators_test.h"

namespace braid::wire {
namespace {

using test::any;
using test::Bytes;
using test::hex;

Bytes encoded(const MptcpOption& option) {
  Bytes bytes(encoded_size(option));
  EXPECT_EQ(encode(option, bytes), bytes.size());
  return bytes;
}

struct Form {
  const char* name;
  const char* bytes;
  bool is_syn, is_ack;
  MptcpOption option;
};

MpCapable capable(uint8_t version, std::optional<uint64_t> sender = {}, std::optional<uint64_t> receiver = {},
                  std::optional<uint16_t> data_length = {}, std::optional<uint16_t> checksum = {}) {
  MpCapable o;
  o.version = version;
  o.sender_key = sender;
  o.receiver_key = receiver;
  o.data_length = data_length;
  o.checksum = checksum;
  return o;
}

MpCapable with_flags(MpCapable o, bool checksum, bool extensibility, bool deny_join, bool hmac) {
  o.checksum_required = checksum;
  o.extensibility = extensibility;
  o.deny_join_initial = deny_join;
  o.hmac_sha256 = hmac;
  return o;
}

MpJoinAck join_ack() {
  MpJoinAck o;
  for (size_t i = 0; i < o.hmac.size(); ++i) o.hmac[i] = static_cast<std::byte>(0xa0 + i);
  return o;
}

Dss dss(std::optional<WideOrNarrow> ack, std::optional<DssMapping> mapping, bool fin = false) {
  return {ack, mapping, fin};
}

constexpr uint64_t kKeyA = 0x0102030405060708, kKeyB = 0x1112131415161718;

// Every form that RFC 8684 draws, octet by octet.
const std::vector<Form>& forms() {
  static const std::vector<Form> all = {
      {"MP_CAPABLE SYN", "1e04 01 01", true, false, capable(1)},
      {"MP_CAPABLE SYN, checksum", "1e04 01 81", true, false,
       with_flags(capable(1), true, false, false, true)},
      {"MP_CAPABLE SYN, B and C, no HMAC", "1e04 01 60", true, false,
       with_flags(capable(1), false, true, true, false)},
      {"MP_CAPABLE SYN, version 0", "1e0c 00 01 0102030405060708", true, false, capable(0, kKeyA)},
      {"MP_CAPABLE SYN/ACK", "1e0c 01 01 0102030405060708", true, true, capable(1, kKeyA)},
      {"MP_CAPABLE SYN/ACK, version 0", "1e0c 00 01 0102030405060708", true, true, capable(0, kKeyA)},
      {"MP_CAPABLE ACK", "1e14 01 01 0102030405060708 1112131415161718", false, true,
       capable(1, kKeyA, kKeyB)},
      {"MP_CAPABLE ACK, version 0", "1e14 00 01 0102030405060708 1112131415161718", false, true,
       capable(0, kKeyA, kKeyB)},
      {"MP_CAPABLE data", "1e16 01 01 0102030405060708 1112131415161718 05a0", false, true,
       capable(1, kKeyA, kKeyB, 0x05a0)},
      {"MP_CAPABLE data, checksum", "1e18 01 81 0102030405060708 1112131415161718 05a0 beef", false, true,
       with_flags(capable(1, kKeyA, kKeyB, 0x05a0, 0xbeef), true, false, false, true)},
      {"MP_JOIN SYN", "1e0c 11 02 01020304 0a0b0c0d", true, false,
       MpJoinSyn{true, 2, 0x01020304, 0x0a0b0c0d}},
      {"MP_JOIN SYN/ACK", "1e10 10 03 0102030405060708 0a0b0c0d", true, true,
       MpJoinSynAck{false, 3, kKeyA, 0x0a0b0c0d}},
      {"MP_JOIN ACK", "1e18 10 00 a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3", false, true, join_ack()},
      {"DSS, nothing in it", "1e04 20 00", false, true, dss({}, {})},
      {"DSS, DATA_ACK of 4", "1e08 20 01 89abcdef", false, true, dss(WideOrNarrow{0x89abcdef, false}, {})},
      {"DSS, DATA_ACK of 8", "1e0c 20 03 0123456789abcdef", false, true,
       dss(WideOrNarrow{0x0123456789abcdef, true}, {})},
      {"DSS, DSN of 4", "1e0e 20 04 89abcdef 00000001 05b4", false, true,
       dss({}, DssMapping{{0x89abcdef, false}, 1, 0x05b4, {}})},
      {"DSS, DSN of 4, checksum", "1e10 20 04 89abcdef 00000001 05b4 1234", false, true,
       dss({}, DssMapping{{0x89abcdef, false}, 1, 0x05b4, 0x1234})},
      {"DSS, 4 + 4", "1e12 20 05 00000009 89abcdef 00000001 05b4", false, true,
       dss(WideOrNarrow{9, false}, DssMapping{{0x89abcdef, false}, 1, 0x05b4, {}})},
      {"DSS, 4 + 8, checksum", "1e18 20 0d 00000009 0123456789abcdef 00000001 05b4 0000", false, true,
       dss(WideOrNarrow{9, false}, DssMapping{{0x0123456789abcdef, true}, 1, 0x05b4, 0})},
      {"DSS, 8 + 8", "1e1a 20 0f 0000000100000009 0123456789abcdef 00000001 05b4", false, true,
       dss(WideOrNarrow{0x100000009, true}, DssMapping{{0x0123456789abcdef, true}, 1, 0x05b4, {}})},
      {"DSS, 8 + 8, checksum", "1e1c 20 0f 0000000100000009 0123456789abcdef 00000001 05b4 a55a", false, true,
       dss(WideOrNarrow{0x100000009, true}, DssMapping{{0x0123456789abcdef, true}, 1, 0x05b4, 0xa55a})},
      {"DSS, DATA_FIN alone", "1e1a 20 1f 0000000100000009 0123456789abcdef 00000000 0001", false, true,
       dss(WideOrNarrow{0x100000009, true}, DssMapping{{0x0123456789abcdef, true}, 0, 1, {}}, true)},
      {"DSS, infinite mapping", "1e14 20 0c 0123456789abcdef 00000001 0000 0000", false, true,
       dss({}, DssMapping{{0x0123456789abcdef, true}, 1, 0, 0})},
      {"ADD_ADDR IPv4", "1e10 30 05 c0000201 0102030405060708", false, true,
       AddAddr{false, 5, IpAddress::v4(0xc0000201), {}, kKeyA}},
      {"ADD_ADDR IPv4, port", "1e12 30 05 c0000201 1f90 0102030405060708", false, true,
       AddAddr{false, 5, IpAddress::v4(0xc0000201), 8080, kKeyA}},
      {"ADD_ADDR IPv4, echo", "1e08 31 05 c0000201", false, true,
       AddAddr{true, 5, IpAddress::v4(0xc0000201), {}, 0}},
      {"ADD_ADDR IPv4, port, echo", "1e0a 31 05 c0000201 1f90", false, true,
       AddAddr{true, 5, IpAddress::v4(0xc0000201), 8080, 0}},
      {"ADD_ADDR IPv6", "1e1c 30 05 20010db8000000000000000000000001 0102030405060708", false, true,
       AddAddr{false, 5, *IpAddress::parse("2001:db8::1"), {}, kKeyA}},
      {"ADD_ADDR IPv6, port", "1e1e 30 05 20010db8000000000000000000000001 1f90 0102030405060708", false,
       true, AddAddr{false, 5, *IpAddress::parse("2001:db8::1"), 8080, kKeyA}},
      {"ADD_ADDR IPv6, echo", "1e14 31 05 20010db8000000000000000000000001", false, true,
       AddAddr{true, 5, *IpAddress::parse("2001:db8::1"), {}, 0}},
      {"ADD_ADDR IPv6, port, echo", "1e16 31 05 20010db8000000000000000000000001 1f90", false, true,
       AddAddr{true, 5, *IpAddress::parse("2001:db8::1"), 8080, 0}},
      {"ADD_ADDR of version 0, IPv4", "1e08 34 05 c0000201", false, true,
       AddAddr{false, 5, IpAddress::v4(0xc0000201), {}, 0, 0}},
      {"ADD_ADDR of version 0, IPv4, port", "1e0a 34 05 c0000201 1f90", false, true,
       AddAddr{false, 5, IpAddress::v4(0xc0000201), 8080, 0, 0}},
      {"ADD_ADDR of version 0, IPv6", "1e14 36 05 20010db8000000000000000000000001", false, true,
       AddAddr{false, 5, *IpAddress::parse("2001:db8::1"), {}, 0, 0}},
      {"ADD_ADDR of version 0, IPv6, port", "1e16 36 05 20010db8000000000000000000000001 1f90", false, true,
       AddAddr{false, 5, *IpAddress::parse("2001:db8::1"), 8080, 0, 0}},
      {"REMOVE_ADDR", "1e04 40 07", false, true, RemoveAddr{{7}}},
      {"REMOVE_ADDR of 8", "1e0b 40 00 01 02 03 04 05 06 ff", false, true,
       RemoveAddr{{0, 1, 2, 3, 4, 5, 6, 255}}},
      {"MP_PRIO", "1e03 51", false, true, MpPrio{true, {}}},
      {"MP_PRIO, back to regular", "1e03 50", false, true, MpPrio{false, {}}},
      {"MP_PRIO, address ID", "1e04 51 09", false, true, MpPrio{true, 9}},
      {"MP_FAIL", "1e0c 60 00 0123456789abcdef", false, true, MpFail{0x0123456789abcdef}},
      {"MP_FASTCLOSE", "1e0c 70 00 0102030405060708", false, true, MpFastclose{kKeyA}},
      {"MP_TCPRST", "1e04 81 06", false, true,
       MpTcpRst{true, false, false, false, ResetReason::kMiddleboxInterference}},
      {"MP_TCPRST, U V W, unknown reason", "1e04 8e 63", false, true,
       MpTcpRst{false, true, true, true, static_cast<ResetReason>(0x63)}},
  };
  return all;
}

TEST(MptcpOptions, AreWrittenAsTheRfcDrawsThem) {
  for (const Form& form : forms()) EXPECT_EQ(encoded(form.option), hex(form.bytes)) << form.name;
}

TEST(MptcpOptions, AreReadAsTheRfcDrawsThem) {
  for (const Form& form : forms()) {
    const auto parsed = parse_mptcp_option(hex(form.bytes), form.is_syn, form.is_ack);
    ASSERT_TRUE(parsed.has_value()) << form.name;
    EXPECT_EQ(*parsed, form.option) << form.name;
  }
}

RC_GTEST_PROP(MptcpOptions, ParseAfterEncodeIsTheIdentity, ()) {
  const bool is_syn = any<bool>(), is_ack = any<bool>();
  const MptcpOption option = test::any_mptcp_option(is_syn, is_ack);
  const auto parsed = parse_mptcp_option(encoded(option), is_syn, is_ack);
  RC_ASSERT(parsed.has_value());
  RC_ASSERT(*parsed == option);
}

// What a form's octets become when some are missing at the end and the length octet says so: either another
// form or nothing, never a read past the end (which AddressSanitizer would see).
TEST(MptcpOptions, CutShortBecomeAnotherFormOrNothing) {
  for (const Form& form : forms()) {
    const Bytes whole = hex(form.bytes);
    for (size_t size = 0; size < whole.size(); ++size) {
      Bytes cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
      // The length octet still claims what is no longer there.
      EXPECT_FALSE(parse_mptcp_option(cut, form.is_syn, form.is_ack)) << form.name << " cut to " << size;
      if (size < 2) continue;
      cut[1] = static_cast<std::byte>(size);
      const auto parsed = parse_mptcp_option(cut, form.is_syn, form.is_ack);
      if (parsed) {
        EXPECT_EQ(encoded_size(*parsed), size) << form.name << " cut to " << size;
      }
    }
  }
}

TEST(MptcpOptions, WithOctetsTooManyAreMalformed) {
  for (const Form& form : forms()) {
    if (std::holds_alternative<RemoveAddr>(form.option)) continue;  // any length is one
    Bytes longer = hex(form.bytes);
    for (int extra = 0; extra < 40; ++extra) {
      longer.push_back(std::byte{0});
      longer[1] = static_cast<std::byte>(longer.size());
      const auto parsed = parse_mptcp_option(longer, form.is_syn, form.is_ack);
      if (parsed) {
        EXPECT_EQ(encoded_size(*parsed), longer.size()) << form.name;
      }
    }
  }
}

TEST(MptcpOptions, LengthAloneTellsWhetherADssHasAChecksum) {
  const auto without = parse_mptcp_option(hex("1e0e 20 04 00000001 00000001 0001"), false, true);
  const auto with = parse_mptcp_option(hex("1e10 20 04 00000001 00000001 0001 0000"), false, true);
  ASSERT_TRUE(without && with);
  EXPECT_FALSE(std::get<Dss>(*without).mapping->checksum.has_value());
  EXPECT_EQ(std::get<Dss>(*with).mapping->checksum, 0);
  EXPECT_FALSE(parse_mptcp_option(hex("1e0f 20 04 00000001 00000001 0001 00"), false, true));
  // A DATA_ACK alone has none.
  EXPECT_FALSE(parse_mptcp_option(hex("1e0a 20 01 00000001 0000"), false, true));
}

TEST(MptcpOptions, DssWidthFlagsWithoutTheirFieldSayNothing) {
  const auto parsed = parse_mptcp_option(hex("1e04 20 1a"), false, true);  // F, m and a, but neither M nor A
  ASSERT_TRUE(parsed);
  EXPECT_EQ(std::get<Dss>(*parsed), Dss{});
}

TEST(MptcpOptions, ReservedBitsAreIgnored) {
  EXPECT_EQ(parse_mptcp_option(hex("1e08 2f e1 00000001"), false, true),
            MptcpOption(dss(WideOrNarrow{1, false}, {})));
  EXPECT_EQ(parse_mptcp_option(hex("1e0c 6f ff 0000000000000002"), false, true), MptcpOption(MpFail{2}));
  EXPECT_EQ(parse_mptcp_option(hex("1e08 3f 05 c0000201"), false, true),
            MptcpOption(AddAddr{true, 5, IpAddress::v4(0xc0000201), {}, 0}));
  EXPECT_EQ(parse_mptcp_option(hex("1e04 01 1f"), true, false), MptcpOption(capable(1)));
}

TEST(MptcpOptions, FormsBelongToTheirSegments) {
  const Bytes syn = hex("1e0c 10 00 01020304 0a0b0c0d");
  const Bytes syn_ack = hex("1e10 10 00 0102030405060708 0a0b0c0d");
  const Bytes ack = hex("1e18 10 00 a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3");
  EXPECT_FALSE(parse_mptcp_option(syn, true, true));
  EXPECT_FALSE(parse_mptcp_option(syn, false, true));
  EXPECT_FALSE(parse_mptcp_option(syn_ack, true, false));
  EXPECT_FALSE(parse_mptcp_option(ack, true, true));
  EXPECT_FALSE(parse_mptcp_option(ack, false, false));
  EXPECT_FALSE(parse_mptcp_option(hex("1e04 01 01"), false, true));
  EXPECT_FALSE(parse_mptcp_option(hex("1e0c 01 01 0102030405060708"), true, false));
}

TEST(MptcpOptions, OfALaterVersionsSynTheVersionIsRead) {
  const auto parsed = parse_mptcp_option(hex("1e06 02 01 ffff"), true, false);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(std::get<MpCapable>(*parsed), capable(2));
}

TEST(MptcpOptions, UnknownSubtypesAreNothing) {
  for (unsigned subtype = 9; subtype < 16; ++subtype) {
    Bytes bytes = hex("1e04 00 00");
    bytes[2] = static_cast<std::byte>(subtype << 4);
    EXPECT_FALSE(parse_mptcp_option(bytes, false, true)) << subtype;
  }
}

RC_GTEST_PROP(MptcpOptions, WhateverParsesEncodesToItsOwnLength, ()) {
  Bytes bytes = test::any_bytes(3 + test::below(38));
  bytes[0] = std::byte{kOptionKindMptcp};
  bytes[1] = static_cast<std::byte>(bytes.size());
  bytes[2] = static_cast<std::byte>(test::below(9) << 4 | test::below(16));
  const bool is_syn = any<bool>(), is_ack = any<bool>();
  const auto parsed = parse_mptcp_option(bytes, is_syn, is_ack);
  if (!parsed) return;
  const auto* of_later_version = std::get_if<MpCapable>(&*parsed);
  if (of_later_version != nullptr && of_later_version->version > 1) return;
  RC_ASSERT(encoded_size(*parsed) == bytes.size());
  RC_ASSERT(parse_mptcp_option(encoded(*parsed), is_syn, is_ack) == parsed);
}

}  // namespace
}  // namespace braid::wire
