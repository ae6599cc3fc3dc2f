#include "base/ring.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <deque>
#include <memory>

namespace braid {
namespace {

RC_GTEST_PROP(Ring, BehavesAsADeque, (const std::vector<uint8_t>& steps)) {
  Ring<int> ring;
  std::deque<int> model;
  int next = 0;
  for (const uint8_t step : steps) {
    switch (step % 8) {
      case 0:
      case 1:
      case 2:
        RC_ASSERT(ring.push_back(next) == next);
        model.push_back(next++);
        break;
      case 3:
      case 4:
        RC_ASSERT(ring.push_front(next) == next);
        model.push_front(next++);
        break;
      case 5:
        if (model.empty()) break;
        RC_ASSERT(ring.pop_front() == model.front());
        model.pop_front();
        break;
      case 6:
        if (model.empty()) break;
        RC_ASSERT(ring.pop_back() == model.back());
        model.pop_back();
        break;
      default:
        if (step < 16) ring.clear(), model.clear();
        break;
    }
    RC_ASSERT(ring.size() == model.size());
    RC_ASSERT(ring.empty() == model.empty());
    for (size_t i = 0; i < model.size(); ++i) RC_ASSERT(ring[i] == model[i]);
    if (!model.empty()) RC_ASSERT(ring.front() == model.front() && ring.back() == model.back());
  }
}

TEST(Ring, LetsGoOfWhatWasPopped) {
  Ring<std::shared_ptr<int>> ring;
  const auto value = std::make_shared<int>(1);
  for (int i = 0; i < 20; ++i) ring.push_back(value);
  EXPECT_EQ(value.use_count(), 21);
  ring.pop_front();
  ring.pop_back();
  EXPECT_EQ(value.use_count(), 19);
  ring.clear();
  EXPECT_EQ(value.use_count(), 1);
}

TEST(Ring, HoldsWhatCanOnlyBeMoved) {
  Ring<std::unique_ptr<int>> ring;
  for (int i = 0; i < 20; ++i) ring.push_back(std::make_unique<int>(i));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(*ring.pop_front(), i);
}

}  // namespace
}  // namespace braid
