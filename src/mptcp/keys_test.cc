// Expected values: Python's hashlib and hmac.
#include "mptcp/keys.h"

#include <algorithm>
#include <set>
#include <string>

namespace braid::mptcp {
namespace {

constexpr Key kAlice = 0x0102030405060708, kBob = 0xf1f2f3f4f5f6f7f8;

std::string hex(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte b : bytes) {
    text += "0123456789abcdef"[std::to_integer<int>(b) >> 4];
    text += "0123456789abcdef"[std::to_integer<int>(b) & 15];
  }
  return text;
}

TEST(Keys, TokenAndInitialSequenceAreTheEndsOfTheHash) {
  struct {
    Key key;
    Token token;
    uint64_t idsn;
  } const cases[] = {{0x0123456789abcdef, 0x55c53f5d, 0x570762cd38be9818},
                     {0, 0xaf5570f5, 0xe5b2328de0e83dfc},
                     {UINT64_MAX, 0x12a3ae44, 0x57fb595bbbacf0ca}};
  for (const auto& c : cases) {
    const KeyMaterial derived = derive(c.key);
    EXPECT_EQ(derived.key, c.key);
    EXPECT_EQ(derived.token, c.token);
    EXPECT_EQ(derived.idsn, c.idsn);
  }
}

TEST(Keys, JoinHmacAndItsTruncations) {
  const auto hmac = join_hmac(kAlice, kBob, 0xdeadbeef, 0x01020304);
  EXPECT_EQ(hex(hmac), "e728bf817446b0454df11885faf416eafe4270f1637a1f3b86e0ec886a8a5ed2");
  EXPECT_EQ(truncate64(hmac), 0xe728bf817446b045);
  EXPECT_EQ(hex(truncate160(hmac)), "e728bf817446b0454df11885faf416eafe4270f1");
  // The two ends' HMACs differ: who is first matters.
  EXPECT_NE(join_hmac(kBob, kAlice, 0x01020304, 0xdeadbeef), hmac);
}

TEST(Keys, AddAddrHmacCoversIdAddressAndPort) {
  EXPECT_EQ(add_addr_hmac(kAlice, kBob, 7, *wire::IpAddress::parse("192.0.2.77"), 0), 0xbb8e0309effb0c89);
  EXPECT_EQ(add_addr_hmac(kAlice, kBob, 9, *wire::IpAddress::parse("2001:db8::5"), 8443), 0xbe0c54d64ccdb368);
}

TEST(Keys, Version0HasSha1) {
  const KeyMaterial derived = derive(0x0123456789abcdef, Version::kV0);
  EXPECT_EQ(derived.token, 0x0ca2eadb);
  EXPECT_EQ(derived.idsn, 0xe3df8ee121f10547);
  const auto hmac = join_hmac(kAlice, kBob, 0xdeadbeef, 0x01020304, Version::kV0);
  EXPECT_EQ(hex(truncate160(hmac)), "4b849bc5dbebebbdede8450354b9e45badf36f01");
}

TEST(KeyPool, GivesFreshKeysFullOrEmpty) {
  SeededRandom random(1);
  KeyPool pool(random, 8);
  std::set<Key> seen;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 20; ++i) {
      const KeyMaterial taken = pool.take();
      EXPECT_TRUE(seen.insert(taken.key).second) << "a key was given twice";
      EXPECT_EQ(taken.token, derive(taken.key).token);
      EXPECT_EQ(taken.idsn, derive(taken.key).idsn);
    }
    pool.refill();
  }
}

}  // namespace
}  // namespace braid::mptcp
