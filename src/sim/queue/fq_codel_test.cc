// FQ-CoDel as RFC 8290 has it: the scheduler (4.1, 4.2), and CoDel for each flow.
#include "sim/queue/fq_codel.h"

#include <gtest/gtest.h>

#include <map>

#include "sim/queue/testing/packets.h"

namespace braid::sim {
namespace {

using testing::packet_of;

class FqCodelQueue : public ::testing::Test {
 protected:
  static constexpr uint16_t kBulk = 1, kOtherBulk = 2, kSparse = 3;
  static QueueConfig config() {
    QueueConfig made;
    made.discipline = "fq-codel";
    made.fq_flows = 1 << 16;  // so that the few of a test do not meet in one
    return made;
  }
  void use(const QueueConfig& with) { queue = std::make_unique<FqCodel>(with, pool, random); }
  void offer(uint16_t flow, int packets, size_t size = 1514) {
    for (int i = 0; i < packets; ++i) queue->enqueue(packet_of(pool, size, flow), now);
  }
  uint16_t next() {
    const auto packet = queue->dequeue(now);
    return packet ? testing::flow_of(*packet) : 0;
  }

  ChunkPool pool;
  SeededRandom random{3};
  Time now{1s};
  std::unique_ptr<FqCodel> queue = std::make_unique<FqCodel>(config(), pool, random);
};

TEST_F(FqCodelQueue, ASparseFlowGoesBeforeABulkOne) {
  offer(kBulk, 100);
  EXPECT_EQ(next(), kBulk);  // its quantum as a new flow
  for (int i = 0; i < 10; ++i) {
    offer(kSparse, 1, 100);
    EXPECT_EQ(next(), kSparse) << i;
    EXPECT_EQ(next(), kBulk) << i;
    EXPECT_EQ(next(), kBulk) << i;
  }
}

TEST_F(FqCodelQueue, ABulkFlowDelaysASparseOneByAPacketAtMostInTime) {
  offer(kBulk, 5000);
  Duration worst{0};
  for (int i = 0; i < 2000; ++i) {
    if (i % 50 == 0) offer(kSparse, 1, 100);
    const Time came = now;
    while (i % 50 == 0 && next() != kSparse) now += 1ms;
    worst = std::max(worst, now - came);
    now += 1ms;
    next();
  }
  EXPECT_LE(worst, 1ms);
  EXPECT_GT(queue->dropped(), 0u);  // of the bulk flow, whose packets wait for seconds
}

TEST_F(FqCodelQueue, BulkFlowsShareBytesAndNotPackets) {
  offer(kBulk, 400, 1500);
  offer(kOtherBulk, 1200, 500);
  std::map<uint16_t, uint64_t> bytes;
  for (int i = 0; i < 600; ++i) {
    const auto packet = queue->dequeue(now);
    ASSERT_TRUE(packet.has_value());
    bytes[testing::flow_of(*packet)] += packet->bytes.size();
  }
  EXPECT_NEAR(static_cast<double>(bytes[kBulk]), static_cast<double>(bytes[kOtherBulk]), 3 * 1514);
}

TEST_F(FqCodelQueue, AFlowThatRanDryIsNotNewAgainAtOnce) {
  // Else one that always sends when its queue is empty would starve the others (RFC 8290, 4.2).
  offer(kBulk, 100);
  next();
  std::map<uint16_t, int> served;
  for (int i = 0; i < 50; ++i) {
    offer(kOtherBulk, 1);
    ++served[next()];
  }
  EXPECT_NEAR(served[kBulk], 25, 2);
}

TEST_F(FqCodelQueue, OverTheLimitTheFattestPays) {
  auto small = config();
  small.limit_packets = 50;
  use(small);
  offer(kSparse, 2, 100);
  offer(kBulk, 200);
  EXPECT_EQ(queue->packets(), 50u);
  EXPECT_EQ(queue->dropped(), 152u);
  std::map<uint16_t, int> served;
  while (const uint16_t flow = next()) ++served[flow];
  EXPECT_EQ(served[kSparse], 2);
  EXPECT_EQ(served[kBulk], 48);
  EXPECT_EQ(queue->bytes(), 0u);
}

TEST_F(FqCodelQueue, ItsLimitInBytesToo) {
  auto small = config();
  small.limit_bytes = 15140;
  use(small);
  offer(kBulk, 20);
  EXPECT_EQ(queue->bytes(), 15140u);
  EXPECT_EQ(queue->dropped(), 10u);
}

TEST_F(FqCodelQueue, CodelWorksOnEachFlowAlone) {
  offer(kBulk, 3000);
  std::map<uint16_t, int> served;
  int offered = 0;
  for (int i = 0; i < 1000; ++i) {
    if (i % 4 == 0) {
      offer(kOtherBulk, 1);  // a quarter of the link: it never waits for its target
      ++offered;
    }
    ++served[next()];
    now += 1ms;
  }
  while (const uint16_t flow = next()) ++served[flow];
  EXPECT_EQ(served[kOtherBulk], offered);
  EXPECT_GT(queue->dropped(), 15u);  // of the bulk flow: 100 ms / sqrt(n) apart, for 0.9 s
  EXPECT_EQ(static_cast<uint64_t>(served[kBulk]) + queue->dropped(), 3000u);
  EXPECT_EQ(queue->packets(), 0u);
  EXPECT_EQ(queue->bytes(), 0u);
}

TEST_F(FqCodelQueue, PacketsOfAFlowStayInOrder) {
  for (uint8_t i = 0; i < 100; ++i) {
    queue->enqueue(packet_of(pool, 100u + i, kBulk), now);
    queue->enqueue(packet_of(pool, 100u + i, kOtherBulk), now);
  }
  std::map<uint16_t, size_t> largest;
  while (const auto packet = queue->dequeue(now)) {
    size_t& before = largest[testing::flow_of(*packet)];
    EXPECT_GT(packet->bytes.size(), before);
    before = packet->bytes.size();
  }
}

}  // namespace
}  // namespace braid::sim
