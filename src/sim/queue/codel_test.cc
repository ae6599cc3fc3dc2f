// CoDel as RFC 8289 has it.
#include "sim/queue/codel.h"

#include <gtest/gtest.h>

#include <cmath>

#include "sim/queue/testing/packets.h"

namespace braid::sim {
namespace {

using testing::packet_of;

class CodelQueue : public ::testing::Test {
 protected:
  static QueueConfig config() {
    QueueConfig made;
    made.discipline = "codel";
    return made;
  }
  void offer(int packets, uint8_t ecn = testing::kNotEct) {
    for (int i = 0; i < packets; ++i) codel->enqueue(packet_of(pool, 1000, 1000, ecn), now);
  }
  /// One leaves every `pace`, `arriving` of them are replaced; notes when something is dropped or marked.
  void serve(Duration duration, Duration pace, bool is_replaced = false) {
    for (const Time end = now + duration; now < end; now += pace) {
      const uint64_t before = codel->dropped() + codel->marked();
      last = codel->dequeue(now);
      if (codel->dropped() + codel->marked() > before) events.push_back(now);
      if (is_replaced && last) offer(1);
    }
  }
  double milliseconds(size_t from, size_t to) const {
    return std::chrono::duration<double, std::milli>(events.at(to) - events.at(from)).count();
  }

  ChunkPool pool;
  Time now{1s};
  std::unique_ptr<Codel> codel = std::make_unique<Codel>(config(), pool);
  std::vector<Time> events;
  std::optional<Packet> last;
};

TEST_F(CodelQueue, DropsNothingWhileTheSojournTimeIsUnderTarget) {
  offer(4);  // each waits 4 ms
  serve(10s, 1ms, true);
  EXPECT_EQ(codel->dropped(), 0u);
}

TEST_F(CodelQueue, NorForLessThanAnInterval) {
  offer(90);
  serve(100ms, 1ms);
  EXPECT_EQ(codel->dropped(), 0u);
  EXPECT_EQ(codel->packets(), 0u);
}

TEST_F(CodelQueue, ADipUnderTheTargetBeginsTheIntervalAnew) {
  for (int round = 0; round < 20; ++round) {
    offer(80);
    serve(85ms, 1ms);  // runs dry
  }
  EXPECT_EQ(codel->dropped(), 0u);
}

TEST_F(CodelQueue, TheFirstDropComesAnIntervalAfterTheTargetWasPassed) {
  offer(5000);
  const Time begin = now;
  serve(200ms, 100us);
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events[0] - begin, 105ms);  // 5 ms until a packet has waited for 5 ms, then 100
}

TEST_F(CodelQueue, TheControlLawSpacesDropsByTheSquareRootOfTheirCount) {
  offer(30'000);
  serve(1500ms, 100us);
  ASSERT_GT(events.size(), 20u);
  for (size_t i = 0; i < 20; ++i)
    EXPECT_NEAR(milliseconds(i, i + 1), 100 / std::sqrt(static_cast<double>(i) + 1), 0.2) << i;
}

TEST_F(CodelQueue, StopsAsSoonAsOneIsUnderTarget) {
  offer(5000);
  serve(300ms, 100us);
  EXPECT_GT(codel->dropped(), 2u);
  while (codel->packets() > 3) codel->dequeue(now);  // a fast moment
  const uint64_t dropped = codel->dropped();
  serve(10ms, 1ms);
  offer(3);
  serve(2s, 1ms, true);
  EXPECT_EQ(codel->dropped(), dropped);
}

TEST_F(CodelQueue, SoonAfterItGoesOnWhereItWas) {
  offer(30'000);
  serve(1s, 100us);
  const size_t drops = events.size();
  ASSERT_GT(drops, 20u);
  while (codel->dequeue(now)) {
  }
  events.clear();
  offer(10'000);
  serve(500ms, 100us);
  ASSERT_GT(events.size(), 2u);
  EXPECT_LT(milliseconds(0, 1), 100 / std::sqrt(static_cast<double>(drops) - 2));
}

TEST_F(CodelQueue, LongAfterItBeginsAtOneAgain) {
  offer(30'000);
  serve(1s, 100us);
  while (codel->dequeue(now)) {
  }
  now += 16 * 100ms + 1s;
  events.clear();
  offer(10'000);
  serve(500ms, 100us);
  ASSERT_GT(events.size(), 2u);
  EXPECT_NEAR(milliseconds(0, 1), 100, 0.2);
  EXPECT_NEAR(milliseconds(1, 2), 100 / std::sqrt(2.0), 0.2);
}

TEST_F(CodelQueue, TheLastPacketOfTheQueueIsNeverDropped) {
  for (int i = 0; i < 100; ++i) {
    offer(1);
    now += 50ms;  // far over the target, but it is less than one MTU
    EXPECT_TRUE(codel->dequeue(now).has_value());
  }
  EXPECT_EQ(codel->dropped(), 0u);
}

TEST_F(CodelQueue, MarksByTheSameLaw) {
  auto marking = config();
  marking.is_marking = true;
  codel = std::make_unique<Codel>(marking, pool);
  offer(10'000, testing::kEct0);
  serve(500ms, 100us);
  EXPECT_EQ(codel->dropped(), 0u);
  ASSERT_GT(events.size(), 4u);
  for (size_t i = 0; i < 4; ++i)
    EXPECT_NEAR(milliseconds(i, i + 1), 100 / std::sqrt(static_cast<double>(i) + 1), 0.2) << i;
}

TEST_F(CodelQueue, AFullQueueDropsTheTail) {
  auto small = config();
  small.limit_bytes = 3000;
  codel = std::make_unique<Codel>(small, pool);
  offer(4);
  EXPECT_EQ(codel->dropped(), 1u);
  EXPECT_EQ(codel->bytes(), 3000u);
}

TEST_F(CodelQueue, CountsWhatItHolds) {
  offer(10'000);
  serve(500ms, 100us);
  uint64_t left = 0;
  const uint64_t bytes = codel->bytes();
  const uint32_t packets = codel->packets();
  for (now -= 1000s; codel->dequeue(now);) ++left;  // before they came, so that none is dropped
  EXPECT_EQ(packets, left);
  EXPECT_EQ(bytes, left * 1000);
  EXPECT_EQ(codel->bytes(), 0u);
}

}  // namespace
}  // namespace braid::sim
