#include "mptcp/scheduler/scheduler.h"

#include <vector>

namespace braid::mptcp {
namespace {

SubflowView subflow(uint8_t index, Duration srtt) {
  return {.index = index,
          .is_usable = true,
          .srtt = srtt,
          .cwnd_bytes = 14'600,
          .in_flight_bytes = 1460,
          .room_bytes = 1'000'000,
          .mss = 1460};
}

class SchedulerTest : public testing::Test {
 protected:
  std::vector<uint8_t> rank(std::string_view name = "lowest-rtt") {
    if (scheduler == nullptr) scheduler = make_scheduler(name);
    std::vector<uint8_t> order(subflows.size());
    scheduler->rank(subflows, order);
    return order;
  }
  uint64_t grant(size_t position, uint64_t waiting_bytes) {
    if (scheduler == nullptr) scheduler = make_scheduler("lowest-rtt");
    return scheduler->grant({.subflows = subflows,
                             .asking = &subflows[position],
                             .waiting_bytes = waiting_bytes,
                             .reinject_bytes = 0,
                             .is_send_buffer_full = false,
                             .now = {}});
  }

  std::unique_ptr<Scheduler> scheduler;
  std::vector<SubflowView> subflows;
};

TEST_F(SchedulerTest, EveryNameMakesASchedulerOfThatName) {
  EXPECT_FALSE(scheduler_names().empty());
  for (const std::string& name : scheduler_names()) EXPECT_EQ(make_scheduler(name)->name(), name);
  EXPECT_EQ(make_scheduler("no-such"), nullptr);
}

TEST_F(SchedulerTest, LowestRttAsksTheFastestFirst) {
  subflows = {subflow(4, 50ms), subflow(7, Duration{0}), subflow(9, 10ms), subflow(11, 20ms)};
  subflows.push_back(subflow(12, 1ms));
  subflows.back().is_backup = true;
  subflows.push_back(subflow(13, 1ms));
  subflows.back().is_stalled = true;
  EXPECT_EQ(rank(), (std::vector<uint8_t>{2, 3, 0, 1, 4, 5}));
}

TEST_F(SchedulerTest, ASubflowWithoutRttSampleIsUsed) {
  subflows = {subflow(0, Duration{0})};
  EXPECT_EQ(grant(0, 5000), 5000u);
}

TEST_F(SchedulerTest, BackupsWaitForTheLastRegularSubflow) {
  subflows = {subflow(0, 100ms), subflow(1, 1ms)};
  subflows[1].is_backup = true;
  subflows[0].room_bytes = 0;
  EXPECT_EQ(grant(1, 5000), 0u) << "a full regular subflow is no reason to use a backup";
  subflows[0].is_stalled = true;
  EXPECT_EQ(grant(1, 5000), 5000u);
  EXPECT_EQ(grant(0, 5000), 0u);
  subflows[0].is_stalled = false;
  subflows[0].is_usable = false;
  EXPECT_EQ(grant(1, 5000), 5000u);
}

TEST_F(SchedulerTest, StalledPathsAreTriedWhenNothingElseIsThere) {
  subflows = {subflow(0, 100ms), subflow(1, 1ms)};
  subflows[0].is_stalled = true;
  EXPECT_EQ(grant(0, 5000), 0u);
  subflows[1].is_stalled = subflows[1].is_backup = true;
  EXPECT_EQ(grant(0, 5000), 5000u);
  EXPECT_EQ(grant(1, 5000), 0u);
}

TEST_F(SchedulerTest, AnUnusableSubflowGetsNothing) {
  subflows = {subflow(0, 1ms)};
  subflows[0].is_usable = false;
  EXPECT_EQ(grant(0, 5000), 0u);
}

TEST_F(SchedulerTest, GrantsAreWholeSegmentsOfAtMostASuperSegment) {
  subflows = {subflow(0, 1ms)};
  const uint64_t large = grant(0, 1'000'000);
  EXPECT_EQ(large % 1460, 0u);
  EXPECT_GT(large, 60'000u);
  EXPECT_LE(large + 120, 65'521u) << "one IP packet";
  subflows[0].room_bytes = 4000;
  EXPECT_EQ(grant(0, 1'000'000), 2920u);
  EXPECT_EQ(grant(0, 3500), 3500u) << "all that waits may end in a partial segment";
}

TEST_F(SchedulerTest, LessThanASegmentOnlyWhenNothingIsUnderWay) {
  subflows = {subflow(0, 1ms)};
  subflows[0].room_bytes = 700;
  EXPECT_EQ(grant(0, 1'000'000), 0u);
  EXPECT_EQ(grant(0, 700), 700u);
  // A peer with a window smaller than a segment: no ACK will come to make more room.
  subflows[0].in_flight_bytes = 0;
  EXPECT_EQ(grant(0, 1'000'000), 700u);
}

TEST_F(SchedulerTest, RoundRobinGivesEveryoneATurn) {
  subflows = {subflow(3, 1ms), subflow(5, 90ms), subflow(6, 40ms)};
  std::vector<uint8_t> served;
  for (int i = 0; i < 6; ++i) {
    const uint8_t position = rank("round-robin").front();
    served.push_back(position);
    EXPECT_GT(grant(position, 1'000'000), 0u);
  }
  EXPECT_EQ(served, (std::vector<uint8_t>{0, 1, 2, 0, 1, 2}));
}

TEST_F(SchedulerTest, RoundRobinLeavesBackupsOut) {
  subflows = {subflow(3, 1ms), subflow(5, 90ms)};
  subflows[0].is_backup = true;
  EXPECT_EQ(rank("round-robin"), (std::vector<uint8_t>{1, 0}));
  EXPECT_EQ(grant(0, 1'000'000), 0u);
}

}  // namespace
}  // namespace braid::mptcp
