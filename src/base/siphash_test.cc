#include "base/siphash.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace braid {
namespace {

// The vectors of the paper's reference: key 00..0f, messages of 0, 1, ... octets 00, 01, ...
TEST(SipHash, GivesTheReferenceVectors) {
  const SipHash::Key key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  const auto hash_of_first = [&](size_t n) {
    std::vector<uint8_t> message(n);
    std::iota(message.begin(), message.end(), uint8_t{0});
    SipHash hash(key);
    hash.add(message);
    return hash.finish();
  };
  EXPECT_EQ(hash_of_first(0), 0x726fdb47dd0e0e31u);
  EXPECT_EQ(hash_of_first(1), 0x74f839c593dc67fdu);
  EXPECT_EQ(hash_of_first(8), 0x93f5f5799a932462u);
  EXPECT_EQ(hash_of_first(15), 0xa129ca6149be45e5u);
}

TEST(SipHash, DoesNotCareHowAMessageIsCut) {
  const SipHash::Key key{1, 2};
  const std::vector<uint8_t> message = {9, 8, 7, 6, 5, 4, 3, 2, 1, 0};
  SipHash whole(key), pieces(key);
  whole.add(message);
  pieces.add(std::span(message).first(3));
  pieces.add(std::span(message).subspan(3));
  EXPECT_EQ(whole.finish(), pieces.finish());
}

}  // namespace
}  // namespace braid
