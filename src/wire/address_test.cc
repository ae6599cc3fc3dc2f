#include "wire/address.h"

#include <set>

#include "wire/generators_test.h"

namespace braid::wire {
namespace {

TEST(IpAddress, ReadsAndWritesText) {
  for (const char* text : {"0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "::1", "2001:db8::1",
                           "2001:db8:1:2:3:4:5:6", "fe80::1", "::ffff:192.0.2.1"}) {
    const auto address = IpAddress::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->to_string(), text);
  }
}

TEST(IpAddress, RefusesWhatIsNone) {
  for (const char* text :
       {"", "192.0.2", "192.0.2.256", "192.0.2.1 ", " 192.0.2.1", "192.0.2.1.1", "0x7f.0.0.1", "2001:db8:::1",
        "[::1]", "fe80::1%eth0", "localhost", "1:2:3:4:5:6:7:8:9",
        "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"}) {
    EXPECT_FALSE(IpAddress::parse(text)) << text;
  }
  EXPECT_FALSE(IpAddress::parse(std::string_view("192.0.2.1\0", 10)));
}

TEST(IpAddress, MappedStaysIpv6) {
  const auto mapped = IpAddress::parse("::ffff:192.0.2.1");
  EXPECT_TRUE(mapped->is_v6());
  EXPECT_NE(*mapped, *IpAddress::parse("192.0.2.1"));
}

TEST(IpAddress, KnowsSpecialOnes) {
  const auto parse = [](const char* text) { return *IpAddress::parse(text); };
  EXPECT_TRUE(parse("0.0.0.0").is_unspecified());
  EXPECT_TRUE(parse("::").is_unspecified());
  EXPECT_FALSE(parse("::1").is_unspecified());
  EXPECT_TRUE(parse("127.1.2.3").is_loopback());
  EXPECT_TRUE(parse("::1").is_loopback());
  EXPECT_FALSE(parse("128.0.0.1").is_loopback());
  EXPECT_TRUE(parse("224.0.0.1").is_multicast());
  EXPECT_TRUE(parse("239.255.255.255").is_multicast());
  EXPECT_TRUE(parse("255.255.255.255").is_multicast());
  EXPECT_FALSE(parse("240.0.0.1").is_multicast());
  EXPECT_TRUE(parse("ff02::1").is_multicast());
  EXPECT_TRUE(parse("169.254.1.1").is_link_local());
  EXPECT_TRUE(parse("febf::1").is_link_local());
  EXPECT_FALSE(parse("fec0::1").is_link_local());
}

RC_GTEST_PROP(IpAddress, ParseAfterToStringIsTheIdentity, ()) {
  const auto address = test::any_address(test::any<bool>() ? Family::kV4 : Family::kV6);
  RC_ASSERT(IpAddress::parse(address.to_string()) == address);
  const Endpoint endpoint{address, test::number<uint16_t>()};
  RC_ASSERT(Endpoint::parse(endpoint.to_string()) == endpoint);
}

TEST(Endpoint, ReadsText) {
  EXPECT_EQ(Endpoint::parse("192.0.2.1:80"), (Endpoint{*IpAddress::parse("192.0.2.1"), 80}));
  EXPECT_EQ(Endpoint::parse("[2001:db8::1]:65535"), (Endpoint{*IpAddress::parse("2001:db8::1"), 65535}));
  for (const char* text : {"", ":", "192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:-1",
                           "192.0.2.1:+1", "192.0.2.1:80 ", "[192.0.2.1]:80", "2001:db8::1:80",
                           "[2001:db8::1]", "[]:80", "[2001:db8::1:80", "192.0.2.1:0x50"}) {
    EXPECT_FALSE(Endpoint::parse(text)) << text;
  }
}

TEST(InPrefix, ComparesLeadingBits) {
  const auto in = [](const char* address, const char* network, int bits) {
    return in_prefix(*IpAddress::parse(address), *IpAddress::parse(network), bits);
  };
  EXPECT_TRUE(in("192.0.2.200", "192.0.2.128", 25));
  EXPECT_FALSE(in("192.0.2.127", "192.0.2.128", 25));
  EXPECT_TRUE(in("192.0.2.1", "192.0.2.1", 32));
  EXPECT_FALSE(in("192.0.2.0", "192.0.2.1", 32));
  EXPECT_TRUE(in("203.0.113.1", "0.0.0.0", 0));
  EXPECT_TRUE(in("2001:db8:ffff::1", "2001:db8::", 32));
  EXPECT_FALSE(in("2001:db9::1", "2001:db8::", 32));
  EXPECT_TRUE(in("2001:db9::1", "2001:db8::", 31));
  EXPECT_TRUE(in("2001:db8::1", "2001:db8::1", 128));
  EXPECT_FALSE(in("192.0.2.1", "::", 0));
}

TEST(Hash, SpreadsNeighbouringTuples) {
  std::set<uint64_t> low_bits;
  constexpr size_t kTuples = 4096;
  for (uint16_t port = 0; port < kTuples; ++port) {
    const FourTuple tuple{{IpAddress::v4(0xc0000201), 80}, {IpAddress::v4(0xc6336401), port}};
    low_bits.insert(hash(tuple, 42) & 0xffff);
  }
  // Of 4096 balls in 65536 bins 3970 hit an own one, give or take; a weak mixer has far fewer.
  EXPECT_GT(low_bits.size(), 3900u);
}

TEST(Hash, DependsOnSeedAndEveryPart) {
  const auto tuple = [](const char* local, const char* remote) {
    return FourTuple{*Endpoint::parse(local), *Endpoint::parse(remote)};
  };
  const std::set<uint64_t> hashes = {
      hash(tuple("192.0.2.1:1", "192.0.2.2:2"), 1), hash(tuple("192.0.2.1:1", "192.0.2.2:2"), 2),
      hash(tuple("192.0.2.2:1", "192.0.2.1:2"), 1), hash(tuple("192.0.2.1:2", "192.0.2.2:1"), 1),
      hash(tuple("192.0.2.1:1", "192.0.2.2:3"), 1), hash(tuple("[::1]:1", "[::2]:2"), 1),
      hash(tuple("[::2]:1", "[::1]:2"), 1),         hash(tuple("[::1]:1", "[::2:0:0:0:0]:2"), 1),
      hash(*Endpoint::parse("192.0.2.1:1"), 1),     hash(*Endpoint::parse("192.0.2.1:1"), 2),
      hash(*Endpoint::parse("192.0.2.1:2"), 1),     hash(*Endpoint::parse("[::1]:1"), 1),
      hash(*Endpoint::parse("[1::1]:1"), 1),        hash(*Endpoint::parse("[0:0:0:1::1]:1"), 1),
      hash(*Endpoint::parse("[c000:201::]:1"), 1),
  };
  EXPECT_EQ(hashes.size(), 15u);
}

TEST(Hash, IsTheSameOnEveryMachine) {
  const auto of = [](const char* local, const char* remote) {
    return hash(FourTuple{*Endpoint::parse(local), *Endpoint::parse(remote)}, 1);
  };
  EXPECT_EQ(of("192.0.2.1:80", "198.51.100.1:40000"), 0x724997a71e1d7c09u);
  EXPECT_EQ(of("[2001:db8::1]:80", "[2001:db8::2]:40000"), 0xc0bf28742aa9685au);
}

}  // namespace
}  // namespace braid::wire
