#include "base/random.h"

#include <gtest/gtest.h>

#include <array>

namespace braid {
namespace {

// xoshiro256** from splitmix64, computed apart from this code: a simulation's seed means the same for ever.
TEST(SeededRandom, GivesTheSameNumbersOnEveryMachine) {
  SeededRandom random(0);
  EXPECT_EQ(random.next64(), 0x99ec5f36cb75f2b4u);
  EXPECT_EQ(random.next64(), 0xbf6e1f784956452au);
  EXPECT_EQ(random.next64(), 0x1a5f849d4933e6e0u);
}

TEST(RandomSource, StaysBelowTheBoundAndReachesIt) {
  SeededRandom random(1);
  std::array<int, 7> seen{};
  for (int i = 0; i < 7000; ++i) ++seen.at(random.below(7));
  for (const int count : seen) EXPECT_GT(count, 800);
  EXPECT_EQ(random.below(1), 0u);
}

TEST(RandomSource, UnitIsBelowOne) {
  SeededRandom random(2);
  double sum = 0;
  for (int i = 0; i < 10000; ++i) {
    const double x = random.unit();
    ASSERT_GE(x, 0);
    ASSERT_LT(x, 1);
    sum += x;
  }
  EXPECT_NEAR(sum / 10000, 0.5, 0.02);
}

TEST(RandomSource, FillsEveryLengthAndNoMore) {
  for (size_t size = 0; size < 20; ++size) {
    SeededRandom random(3);
    std::array<std::byte, 24> bytes{};
    random.fill(std::span(bytes).first(size));
    for (size_t i = size; i < bytes.size(); ++i) EXPECT_EQ(bytes[i], std::byte{0}) << size;
  }
}

}  // namespace
}  // namespace braid
