// RED as in Floyd and Jacobson, "Random Early Detection Gateways for Congestion Avoidance" (1993), figure 2
// and section 7, with the gentle slope above the upper threshold.
#include "sim/queue/red.h"

#include <gtest/gtest.h>

#include <cmath>

#include "sim/queue/testing/packets.h"

namespace braid::sim {
namespace {

using testing::packet_of;

QueueConfig config() {
  QueueConfig made;
  made.discipline = "red";
  made.limit_bytes = 1'000'000;
  made.red_min_bytes = 10'000;
  made.red_max_bytes = 30'000;
  made.red_max_probability = 0.1;
  made.red_weight = 1;  // the average is the queue as a packet finds it, where a test does not say otherwise
  return made;
}

class RedQueue : public ::testing::Test {
 protected:
  void use(const QueueConfig& with) { red = std::make_unique<Red>(with, pool, random); }
  bool offer(uint8_t ecn = testing::kNotEct) {
    const uint64_t before = red->dropped();
    red->enqueue(packet_of(pool, 1000, 1000, ecn), now);
    return red->dropped() == before;
  }
  /// Up to so many, however many of them are dropped on the way.
  void fill(uint32_t packets) {
    for (int tries = 0; red->packets() < packets; ++tries) {
      ASSERT_LT(tries, 1'000'000);
      offer();
    }
  }
  /// Offers so many to a queue of that size, which is kept so; the distances between those that it chose.
  std::vector<uint32_t> distances(uint32_t queued, int packets) {
    fill(queued);
    std::vector<uint32_t> found;
    uint32_t since = 0;
    for (int i = 0; i < packets; ++i) {
      ++since;
      if (offer()) {
        red->dequeue(now);
      } else {
        found.push_back(since);
        since = 0;
      }
    }
    if (!found.empty()) found.erase(found.begin());  // it began while the queue was being filled
    return found;
  }
  static double mean(const std::vector<uint32_t>& values) {
    double sum = 0;
    for (const uint32_t v : values) sum += v;
    return sum / static_cast<double>(values.size());
  }

  ChunkPool pool;
  SeededRandom random{3};
  Time now{1s};
  std::unique_ptr<Red> red = std::make_unique<Red>(config(), pool, random);
};

TEST_F(RedQueue, TheAverageIsExponential) {
  auto slow = config();
  slow.red_weight = 0.25;
  use(slow);
  double expected = 0;
  for (int queued = 0; queued < 8; ++queued) {
    offer();
    expected = 0.75 * expected + 0.25 * 1000 * queued;
    EXPECT_DOUBLE_EQ(red->average_bytes(), expected);
  }
}

TEST_F(RedQueue, AndDecaysWhileIdleAsIfPacketsHadLeft) {
  auto slow = config();
  slow.red_weight = 0.25;
  use(slow);
  for (int i = 0; i < 8; ++i) offer();
  const double before = red->average_bytes();
  while (red->dequeue(now)) now += 1ms;  // a packet takes 1 ms
  now += 3ms - 1ms;                      // three of them have not come
  offer();
  EXPECT_NEAR(red->average_bytes(), before * std::pow(0.75, 3), 1e-9);
}

TEST_F(RedQueue, APauseIsNotTheTimeOfAPacket) {
  auto slow = config();
  slow.red_weight = 0.25;
  use(slow);
  offer(), offer(), offer();
  while (red->dequeue(now)) now += 1ms;
  now += 10s;
  offer(), offer();  // the first leaves after ten seconds, the second leaves nothing behind
  while (red->dequeue(now)) now += 1ms;
  EXPECT_GT(red->average_bytes(), 100);
  now += 1s - 1ms;
  offer();
  EXPECT_LT(red->average_bytes(), 1);  // a thousand packets have not come, not a tenth of one
}

TEST_F(RedQueue, UnderTheLowerThresholdNothingIsDropped) {
  EXPECT_TRUE(distances(9, 100'000).empty());
  EXPECT_EQ(red->dropped(), 0u);
}

TEST_F(RedQueue, BetweenTheThresholdsTheProbabilityRisesLinearly) {
  // With probability p spread evenly, the distance is uniform from 1 to 1/p (section 7).
  for (const auto& [queued, probability] : {std::pair{15u, 0.025}, {20u, 0.05}, {26u, 0.08}}) {
    use(config());
    const auto found = distances(queued, 100'000);
    const double most = std::ceil(1 / probability - 1e-9);
    EXPECT_NEAR(mean(found), (1 / probability + 1) / 2, 0.05 / probability) << queued;
    EXPECT_LE(std::ranges::max(found), most) << queued;
    const auto early = std::ranges::count_if(found, [&](uint32_t d) { return d <= most / 4; });
    EXPECT_NEAR(static_cast<double>(early) / static_cast<double>(found.size()), 0.25, 0.03) << queued;
  }
}

TEST_F(RedQueue, AboveTheUpperOneItRisesGentlyToAll) {
  use(config());
  // Halfway from 0.1 to 1: 0.55, so two in a row are the most that get through.
  const auto half = distances(45, 50'000);
  EXPECT_LE(std::ranges::max(half), 2u);
  EXPECT_NEAR(mean(half), 1 * 0.55 + 2 * 0.45, 0.02);
  fill(60);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(offer());
}

TEST_F(RedQueue, ABurstPassesThatTheAverageDoesNotSee) {
  auto slow = config();
  slow.red_weight = 0.002;
  use(slow);
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(offer());
  EXPECT_LT(red->average_bytes(), 10'000);
}

TEST_F(RedQueue, MarksWhatCanBeMarked) {
  auto marking = config();
  marking.is_marking = true;
  use(marking);
  fill(20);
  const uint64_t dropped = red->dropped();
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(offer(testing::kEct0));
    red->dequeue(now);
  }
  EXPECT_GT(red->marked(), 50u);
  EXPECT_EQ(red->dropped(), dropped);
  uint64_t marked = 0;
  while (const auto packet = red->dequeue(now)) marked += testing::ecn_of(*packet) == testing::kCe ? 1 : 0;
  EXPECT_GT(marked, 0u);
}

TEST_F(RedQueue, TheLimitHoldsWhateverTheAverage) {
  auto small = config();
  small.limit_bytes = 5000;
  use(small);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(offer());
  EXPECT_FALSE(offer());
  EXPECT_EQ(red->bytes(), 5000u);
}

}  // namespace
}  // namespace braid::sim
