#include "host/port_allocator.h"

#include <gtest/gtest.h>

#include <set>

namespace braid::host {
namespace {

const wire::IpAddress kLocal = *wire::IpAddress::parse("192.0.2.1");
const wire::Endpoint kRemote = *wire::Endpoint::parse("192.0.2.2:80");

TEST(PortAllocator, GivesEveryPortOnceBeforeOneComesAgain) {
  SeededRandom random(1);
  PortAllocator ports(random, 40000, 40099);
  std::set<uint16_t> given;
  for (int i = 0; i < 100; ++i) given.insert(ports.allocate(kLocal, kRemote, [](uint16_t) { return true; }));
  EXPECT_EQ(given.size(), 100u);
  EXPECT_EQ(*given.begin(), 40000);
  EXPECT_EQ(*given.rbegin(), 40099);
}

TEST(PortAllocator, SkipsPortsInUseAndSaysWhenNoneIsLeft) {
  SeededRandom random(1);
  PortAllocator ports(random, 40000, 40099);
  EXPECT_EQ(ports.allocate(kLocal, kRemote, [](uint16_t port) { return port == 40042; }), 40042);
  EXPECT_EQ(ports.allocate(kLocal, kRemote, [](uint16_t) { return false; }), 0);
}

TEST(PortAllocator, StartsElsewhereWithAnotherSecret) {
  std::set<uint16_t> starts;
  for (uint64_t seed = 0; seed < 32; ++seed) {
    SeededRandom random(seed);
    PortAllocator ports(random, 32768, 60999);
    starts.insert(ports.allocate(kLocal, kRemote, [](uint16_t) { return true; }));
  }
  EXPECT_GT(starts.size(), 28u);
}

TEST(PortAllocator, LivesWithAnEmptyOrInvertedRange) {
  SeededRandom random(1);
  PortAllocator nothing(random, 0, 0), inverted(random, 50001, 50000);
  EXPECT_EQ(nothing.allocate(kLocal, kRemote, [](uint16_t) { return true; }), 1);
  EXPECT_GE(inverted.allocate(kLocal, kRemote, [](uint16_t) { return true; }), 50000);
}

}  // namespace
}  // namespace braid::host
