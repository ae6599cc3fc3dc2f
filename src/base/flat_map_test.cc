#include "base/flat_map.h"

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"

namespace braid {
namespace {

// Many keys share a home, so that runs grow, wrap around and are pulled back.
struct CrowdedHash {
  uint64_t operator()(uint32_t key) const { return key % 7; }
};
struct SpreadHash {
  uint64_t operator()(uint32_t key) const { return key * 0x9e3779b97f4a7c15; }
};

template <class Hash>
void behaves_like_a_map(uint64_t seed, uint32_t keys) {
  SeededRandom random(seed);
  FlatMap<uint32_t, uint64_t, Hash> map{Hash{}};
  std::map<uint32_t, uint64_t> model;
  for (int i = 0; i < 20'000; ++i) {
    const auto key = static_cast<uint32_t>(random.below(keys));
    switch (random.below(3)) {
      case 0:
        ASSERT_EQ(map.insert(key, random.next64()), !model.contains(key));
        model.emplace(key, *map.find(key));
        break;
      case 1:
        ASSERT_EQ(map.erase(key), model.erase(key) == 1);
        break;
      default:
        ASSERT_EQ(map.contains(key), model.contains(key));
    }
    ASSERT_EQ(map.size(), model.size());
  }
  for (const auto& [key, value] : model) {
    ASSERT_NE(map.find(key), nullptr);
    EXPECT_EQ(*map.find(key), value);
  }
  size_t visited = 0;
  map.for_each([&](uint32_t key, uint64_t value) {
    ++visited;
    EXPECT_EQ(model.at(key), value);
  });
  EXPECT_EQ(visited, model.size());
}

TEST(FlatMap, BehavesLikeAMapWhenHashesCollide) { behaves_like_a_map<CrowdedHash>(1, 60); }
TEST(FlatMap, BehavesLikeAMapWhenItGrows) { behaves_like_a_map<SpreadHash>(2, 5'000); }

}  // namespace
}  // namespace braid
