#include "wire/tcp_options.h"

#include "wire/generators_test.h"

namespace braid::wire {
namespace {

using test::any;
using test::below;
using test::Bytes;
using test::hex;

constexpr TcpFlags ack_flags() {
  TcpFlags f;
  f.ack = true;
  return f;
}
constexpr TcpFlags syn_flags() {
  TcpFlags f;
  f.syn = true;
  return f;
}

TcpOptions parsed(const Bytes& bytes, const TcpFlags& flags = ack_flags()) {
  TcpOptions options;
  parse_tcp_options(bytes, flags, options);
  return options;
}

Bytes encoded(const TcpOptions& options) {
  Bytes bytes(options.encoded_size());
  EXPECT_EQ(options.encode(bytes), bytes.size());
  return bytes;
}

TEST(TcpOptions, ReadsALinuxSyn) {
  const TcpOptions options =
      parsed(hex("0204 05b4  0402 080a 00a1b2c3 00000000  01 0303 07  1e04 01 01"), syn_flags());
  EXPECT_EQ(options.mss, 1460);
  EXPECT_TRUE(options.sack_permitted);
  EXPECT_EQ(options.timestamps, (Timestamps{0x00a1b2c3, 0}));
  EXPECT_EQ(options.window_scale, 7);
  ASSERT_NE(find<MpCapable>(options.mptcp), nullptr);
  EXPECT_FALSE(find<MpCapable>(options.mptcp)->sender_key.has_value());
  EXPECT_EQ(options.malformed + options.malformed_mptcp, 0);
}

TEST(TcpOptions, WritesALinuxSyn) {
  TcpOptions options;
  options.mss = 1460;
  options.sack_permitted = true;
  options.timestamps = Timestamps{0x00a1b2c3, 0};
  options.window_scale = 7;
  options.mptcp.push_back(MpCapable{});
  EXPECT_EQ(encoded(options), hex("0204 05b4  0402 080a 00a1b2c3 00000000  01 0303 07  1e04 01 01"));
}

TEST(TcpOptions, WritesADataSegmentAligned) {
  TcpOptions options;
  options.timestamps = Timestamps{1, 2};
  options.mptcp.push_back(Dss{WideOrNarrow{3, true}, DssMapping{{4, true}, 5, 6, {}}, false});
  EXPECT_EQ(encoded(options), hex("0101 080a 00000001 00000002"
                                  "1e1a 20 0f 0000000000000003 0000000000000004 00000005 0006 0101"));
}

TEST(TcpOptions, WritesSackAligned) {
  TcpOptions options;
  options.sack.push_back({Seq32(1), Seq32(2)});
  options.sack.push_back({Seq32(0xfffffff0), Seq32(16)});
  EXPECT_EQ(encoded(options), hex("0101 0512 00000001 00000002 fffffff0 00000010"));
}

TEST(TcpOptions, SackPermittedAndWindowScaleAloneArePadded) {
  TcpOptions options;
  options.sack_permitted = true;
  options.window_scale = 14;
  EXPECT_EQ(encoded(options), hex("0101 0402 01 0303 0e"));
}

RC_GTEST_PROP(TcpOptions, ParseAfterEncodeIsTheIdentity, ()) {
  const TcpFlags flags = test::any_flags();
  const TcpOptions options = test::any_options(flags);
  const Bytes bytes = encoded(options);
  RC_ASSERT(bytes.size() % 4 == 0u);
  RC_ASSERT(parsed(bytes, flags) == options);
}

RC_GTEST_PROP(TcpOptions, EveryTruncationKeepsWhatStoodBeforeAndReadsNothingBeyond, ()) {
  const TcpFlags flags = test::any_flags();
  const TcpOptions options = test::any_options(flags);
  const Bytes whole = encoded(options);
  for (size_t size = 0; size <= whole.size(); ++size) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    const TcpOptions got = parsed(cut, flags);
    RC_ASSERT(got.malformed + got.malformed_mptcp <= 1);
    RC_ASSERT(got.mptcp.size() <= options.mptcp.size());
    RC_ASSERT(std::equal(got.mptcp.begin(), got.mptcp.end(), options.mptcp.begin()));
    RC_ASSERT(!got.mss || got.mss == options.mss);
    RC_ASSERT(!got.timestamps || got.timestamps == options.timestamps);
    RC_ASSERT(got.sack.empty() || got.sack == options.sack);
  }
}

RC_GTEST_PROP(TcpOptions, WhateverIsReadReadsTheSameWhenWrittenAgain, ()) {
  Bytes bytes = test::any_bytes(below(41));
  for (std::byte& b : bytes) {  // kinds and small lengths where chance would seldom put them
    if (any<bool>())
      b = static_cast<std::byte>(*rc::gen::element(0, 1, 2, 3, 4, 5, 8, 10, 12, 19, 30, 34, 0x20));
  }
  const TcpFlags flags = test::any_flags();
  TcpOptions first = parsed(bytes, flags);
  first.malformed = first.malformed_mptcp = 0;
  first.has_md5_signature = false;
  RC_PRE(first.encoded_size() <= 40u);
  RC_ASSERT(parsed(encoded(first), flags) == first);
}

TEST(TcpOptions, TheFirstOfTwoCounts) {
  const TcpOptions options =
      parsed(hex("0204 05b4 0204 0218  0303 07 0303 01  080a 00000001 00000002"
                 "080a 00000003 00000004"));
  EXPECT_EQ(options.mss, 1460);
  EXPECT_EQ(options.window_scale, 7);
  EXPECT_EQ(options.timestamps, (Timestamps{1, 2}));
  EXPECT_EQ(options.malformed, 0);
}

TEST(TcpOptions, AllMptcpOptionsAreKeptInOrder) {
  const TcpOptions options = parsed(hex("1e08 20 01 00000007  1e08 31 05 c0000201  1e03 51  1e04 40 02"));
  ASSERT_EQ(options.mptcp.size(), 4u);
  EXPECT_TRUE(std::holds_alternative<Dss>(options.mptcp[0]));
  EXPECT_TRUE(std::holds_alternative<AddAddr>(options.mptcp[1]));
  EXPECT_EQ(options.mptcp[2], MptcpOption(MpPrio{true, {}}));
  EXPECT_EQ(options.mptcp[3], MptcpOption(RemoveAddr{{2}}));
}

TEST(TcpOptions, AsManyMptcpOptionsFitAsAHeaderHasRoomFor) {
  Bytes bytes;
  for (int i = 0; i < 13; ++i) {
    for (const std::byte b : hex(i % 2 == 0 ? "1e0351" : "1e0350")) bytes.push_back(b);
  }
  const TcpOptions options = parsed(bytes);
  EXPECT_EQ(options.mptcp.size(), 13u);
  EXPECT_EQ(options.malformed_mptcp, 0);
}

TEST(TcpOptions, MalformedOnesAreCountedAndSkipped) {
  // MSS of 3, window scale of 4, SACK-permitted of 3, SACK of 8, timestamps of 9, MD5 of 4; then a good MSS.
  const TcpOptions options = parsed(
      hex("0203 05  0304 0707  0403 00  0508 0000 0000 0000  0809 00000000 000000  1304 0000  0204 05b4"));
  EXPECT_EQ(options.malformed, 6);
  EXPECT_EQ(options.malformed_mptcp, 0);
  EXPECT_EQ(options.mss, 1460);
  EXPECT_FALSE(options.window_scale || options.sack_permitted || options.timestamps ||
               options.has_md5_signature);
  EXPECT_TRUE(options.sack.empty());
}

TEST(TcpOptions, MalformedMptcpIsCountedApartAndTheRestIsKept) {
  const TcpOptions options = parsed(hex("1e05 20 00 00  1e02  1e08 20 01 00000007  0101"));
  EXPECT_EQ(options.malformed_mptcp, 2);
  EXPECT_EQ(options.malformed, 0);
  ASSERT_EQ(options.mptcp.size(), 1u);
  EXPECT_EQ(std::get<Dss>(options.mptcp[0]).data_ack, (WideOrNarrow{7, false}));
}

TEST(TcpOptions, ImpossibleLengthsEndTheParse) {
  for (const char* bytes : {"fe00 0204 05b4", "fe01 0204 05b4", "fe09 0204 05b4", "fe"}) {
    const TcpOptions options = parsed(hex(bytes));
    EXPECT_EQ(options.malformed, 1) << bytes;
    EXPECT_FALSE(options.mss) << bytes;
  }
  EXPECT_EQ(parsed(hex("1e00 0204 05b4")).malformed_mptcp, 1);
  EXPECT_EQ(parsed(hex("1e")).malformed_mptcp, 1);
}

TEST(TcpOptions, UnknownOnesAreNoFault) {
  // An option of the future, an experiment, and an MPTCP subtype of the future.
  const TcpOptions options = parsed(hex("4206 01020304  fd04 1234  1e04 f0 00  0204 05b4"));
  EXPECT_EQ(options.malformed + options.malformed_mptcp, 0);
  EXPECT_TRUE(options.mptcp.empty());
  EXPECT_EQ(options.mss, 1460);
}

TEST(TcpOptions, FastOpenCookiesAreReadAndWritten) {
  // RFC 7413, 4.1.1: empty, and of four and sixteen octets.
  EXPECT_TRUE(parsed(hex("2202 0101")).fast_open->is_request());
  EXPECT_EQ(parsed(hex("2206 01020304 0101")).fast_open, FastOpenCookie::of(hex("01020304")));
  const Bytes longest = hex("000102030405060708090a0b0c0d0e0f");
  TcpOptions options;
  options.fast_open = FastOpenCookie::of(longest);
  EXPECT_EQ(encoded(options), hex("2212 000102030405060708090a0b0c0d0e0f 0101"));
  EXPECT_EQ(parsed(encoded(options)).fast_open, options.fast_open);
  options.fast_open = FastOpenCookie{};
  EXPECT_EQ(encoded(options), hex("2202 0101"));
}

TEST(TcpOptions, WhatIsNoCookieIsMalformed) {
  // Three octets, five, and eighteen.
  for (const char* bytes : {"2205 010203", "2207 0102030405", "2214 000102030405060708090a0b0c0d0e0f1011"}) {
    const TcpOptions options = parsed(hex(bytes));
    EXPECT_FALSE(options.fast_open) << bytes;
    EXPECT_EQ(options.malformed, 1) << bytes;
  }
}

TEST(TcpOptions, NothingIsReadPastTheEndOfList) {
  EXPECT_FALSE(parsed(hex("01 00 0204 05b4")).mss);
  EXPECT_EQ(parsed(hex("00 ffffff")).malformed, 0);
}

TEST(TcpOptions, Md5IsNoted) {
  EXPECT_TRUE(parsed(hex("1312 00000000000000000000000000000000 0101")).has_md5_signature);
}

TEST(TcpOptions, FourSackBlocksFitAndNoMore) {
  const TcpOptions options =
      parsed(hex("0101 0522 00000001 00000002 00000003 00000004 00000005 00000006 00000007 00000008"));
  ASSERT_EQ(options.sack.size(), 4u);
  EXPECT_EQ(options.sack[3], (SackBlock{Seq32(7), Seq32(8)}));
}

}  // namespace
}  // namespace braid::wire
