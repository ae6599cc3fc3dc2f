#include "mptcp/scheduler/scheduler.h"

#include <algorithm>
#include <vector>

#include "mptcp/scheduler/blest.h"

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
    if (scheduler == nullptr) scheduler = make_scheduler(name, options);
    std::vector<uint8_t> order(subflows.size());
    scheduler->rank(subflows, order);
    return order;
  }
  uint64_t grant(size_t position, uint64_t waiting_bytes) {
    if (scheduler == nullptr) scheduler = make_scheduler("lowest-rtt");
    return scheduler->grant({.subflows = subflows,
                             .asking = &subflows[position],
                             .waiting_bytes = waiting_bytes,
                             .buffered_bytes = std::max(waiting_bytes, buffered_bytes),
                             .reinject_bytes = 0,
                             .window_bytes = window_bytes,
                             .window_stops = window_stops,
                             .is_send_buffer_full = is_send_buffer_full,
                             .now = now});
  }
  /// As the connection does: asks in order, and hands out until nobody wants any more.
  std::vector<uint64_t> serve(uint64_t waiting_bytes) {
    std::vector<uint64_t> served(subflows.size());
    for (const uint8_t position : rank()) {
      while (const uint64_t bytes = grant(position, waiting_bytes)) {
        SubflowView& s = subflows[position];
        s.sent_bytes += bytes;
        s.in_flight_bytes += bytes;
        s.room_bytes -= bytes;
        waiting_bytes -= bytes;
        served[position] += bytes;
      }
    }
    return served;
  }

  /// The first of two like paths fills the window.
  void pass_over_the_second(Duration idle) {
    subflows = {subflow(0, 20ms), subflow(1, 25ms)};
    window_bytes = 100'000;
    subflows[0].in_flight_bytes = subflows[0].cwnd_bytes = 90'000;
    subflows[1].in_flight_bytes = 0;
    subflows[1].min_rtt = 25ms;
    subflows[1].idle = idle;
  }

  std::unique_ptr<Scheduler> scheduler;
  SchedulerOptions options;
  std::vector<SubflowView> subflows;
  uint64_t buffered_bytes = 0;
  uint64_t window_bytes = 1'000'000, window_stops = 0;
  bool is_send_buffer_full = false;
  Time now{1s};
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

/// Busy, with a rate that is known.
SubflowView busy(uint8_t index, Duration srtt, double rate, uint64_t in_flight_bytes) {
  SubflowView view = subflow(index, srtt);
  view.min_rtt = srtt;
  view.usual_rate = rate;
  view.in_flight_bytes = in_flight_bytes;
  view.cwnd_bytes = std::max<uint64_t>(in_flight_bytes, 14'600);
  return view;
}

TEST_F(SchedulerTest, ASlowPathGetsWhatTheFastOneLeavesOfTheWindow) {
  // The fast one sends 100 KB until what the slow one is given now has arrived.
  subflows = {busy(0, 20ms, 1e6, 20'000), busy(1, 100ms, 2e5, 0)};
  window_bytes = 90'000;
  EXPECT_EQ(grant(1, 80'000), 0u);
  window_bytes = 130'000;
  EXPECT_GT(grant(1, 80'000), 25'000u);
  EXPECT_LE(grant(1, 80'000), 30'000u);
}

TEST_F(SchedulerTest, AFastPathWithLessIsAheadOfASlowerWithMore) {
  // Its data arrive first: they hold nothing up, although the other carries more.
  subflows = {busy(0, 75ms, 5e5, 0), busy(1, 100ms, 1e6, 100'000)};
  window_bytes = 100'000;
  EXPECT_GT(grant(0, 50'000), 40'000u);
  // Where that gains next to nothing, a loss on it would cost more.
  window_bytes = 40'000;
  subflows[0].usual_rate = 4e4;
  EXPECT_LT(grant(0, 40'000), 35'000u);
}

TEST_F(SchedulerTest, AFarFasterPathIsNotLeftOutForWhatItHasCarried) {
  subflows = {busy(0, 600ms, 2e6, 1'200'000), busy(1, 15ms, 1e5, 0)};
  window_bytes = 1'250'000;
  EXPECT_GT(grant(1, 50'000), 30'000u) << "the slow one had all of the window from the beginning";
  subflows[1].usual_rate = 1e4;
  EXPECT_LE(grant(1, 50'000), 5'000u) << "but no more than it may well be able to carry by then";
}

TEST_F(SchedulerTest, TheBetterOfTwoLikePathsIsNotChangedForEachSample) {
  subflows = {busy(0, 50ms, 1.05e6, 0), busy(1, 55ms, 1e6, 60'000)};
  window_bytes = 60'000;
  EXPECT_LT(grant(0, 50'000), 10'000u) << "the other is in use";
  subflows[0].usual_rate = 1.2e6;
  EXPECT_GT(grant(0, 50'000), 40'000u);
}

// Each was taken for worse than the other, and the one in use kept room free for one that was not used.
TEST_F(SchedulerTest, OneOfTwoLikePathsHasAllOfTheWindow) {
  for (const double rate : {0.95e6, 1e6, 1.05e6}) {
    subflows = {busy(0, 50ms, rate, 0), busy(1, 50ms, 1e6, 20'000)};
    window_bytes = 60'000;
    EXPECT_GT(grant(1, 40'000), 35'000u) << rate;
  }
}

// Its queue has drained long since.
TEST_F(SchedulerTest, AnIdlePathIsNotJudgedByTheQueueThatItHad) {
  subflows = {busy(0, 40ms, 2e6, 0), busy(1, 20ms, 1.5e6, 30'000)};
  subflows[0].min_rtt = 17ms;
  window_bytes = 30'000;
  EXPECT_GT(grant(0, 30'000), 25'000u);
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

// What the connection relies on, of each.
class EveryScheduler : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Scheduler> scheduler = make_scheduler(GetParam());
};
INSTANTIATE_TEST_SUITE_P(, EveryScheduler, testing::ValuesIn(scheduler_names()), [](const auto& of) {
  std::string name = of.param;
  std::erase(name, '-');
  return name;
});

TEST_P(EveryScheduler, RanksEverySubflowOnce) {
  const std::vector<SubflowView> subflows = {subflow(0, 30ms), subflow(9, Duration{0}), subflow(4, 5ms), {}};
  std::vector<uint8_t> order(subflows.size());
  scheduler->rank(subflows, order);
  std::ranges::sort(order);
  EXPECT_EQ(order, (std::vector<uint8_t>{0, 1, 2, 3}));
}

TEST_P(EveryScheduler, GivesNoMoreThanThereIsAndNothingToTheUnusable) {
  std::vector<SubflowView> subflows = {subflow(0, 10ms), {}};
  for (const uint64_t waiting : {uint64_t{1}, uint64_t{5000}, uint64_t{1'000'000}}) {
    for (const uint64_t room : {uint64_t{0}, uint64_t{1460}, uint64_t{1'000'000}}) {
      subflows[0].room_bytes = room;
      const ScheduleInput input{.subflows = subflows,
                                .asking = &subflows[0],
                                .waiting_bytes = waiting,
                                .buffered_bytes = waiting,
                                .window_bytes = 1'000'000};
      EXPECT_LE(scheduler->grant(input), std::min(room, waiting));
      ScheduleInput other = input;
      other.asking = &subflows[1];
      EXPECT_EQ(scheduler->grant(other), 0u);
    }
  }
}

// Nobody asks again before something happens: with nothing under way, somebody must get something.
TEST_P(EveryScheduler, NeverLeavesDataWithNothingUnderWay) {
  std::vector<SubflowView> subflows = {subflow(0, 10ms), subflow(1, 300ms), subflow(2, Duration{0})};
  for (SubflowView& s : subflows) s.in_flight_bytes = 0;
  subflows[2].is_backup = true;
  for (const uint64_t window : {uint64_t{1}, uint64_t{20'000}, uint64_t{1'000'000}}) {
    for (const uint64_t room : {uint64_t{0}, uint64_t{700}, uint64_t{14'600}}) {
      for (const bool is_only_slow : {false, true}) {
        subflows[0].room_bytes = is_only_slow ? 0 : room;
        subflows[1].room_bytes = room;
        subflows[0].is_stalled = is_only_slow;
        std::vector<uint8_t> order(subflows.size());
        scheduler->rank(subflows, order);
        uint64_t given = 0;
        for (const uint8_t position : order) {
          given += scheduler->grant({.subflows = subflows,
                                     .asking = &subflows[position],
                                     .waiting_bytes = std::min<uint64_t>(window, 100'000),
                                     .buffered_bytes = 100'000,
                                     .window_bytes = window});
        }
        EXPECT_EQ(given > 0, room > 0) << "window " << window << ", room " << room;
      }
    }
  }
}

TEST_F(SchedulerTest, RedundantAsksEveryUsableSubflowAndLeavesBackupsOut) {
  scheduler = make_scheduler("redundant");
  EXPECT_TRUE(scheduler->is_redundant());
  subflows = {subflow(0, 10ms), subflow(1, 300ms), subflow(2, 1ms)};
  subflows[2].is_backup = true;
  EXPECT_EQ(grant(0, 5000), 5000u);
  EXPECT_EQ(grant(1, 5000), 5000u);
  EXPECT_EQ(grant(2, 5000), 0u);
}

TEST_F(SchedulerTest, OnlyRedundantIsRedundant) {
  for (const std::string& name : scheduler_names())
    EXPECT_EQ(make_scheduler(name)->is_redundant(), name == "redundant");
}

// Ferlin et al. 2016, section III. The fast one: 10 segments each 10 ms; within the slow one's 100 ms that
// makes X = 1460 * (10 + 9 / 2) * 10 = 211,700 octets, times lambda.
TEST_F(SchedulerTest, BlestKeepsTheWindowForTheFastSubflow) {
  scheduler = make_scheduler("blest");
  subflows = {subflow(0, 10ms), subflow(1, 100ms)};
  subflows[0].room_bytes = 0;
  window_bytes = 211'700;
  EXPECT_EQ(grant(1, 1'000'000), 0u);
  window_bytes = 2 * 211'700;
  EXPECT_GT(grant(1, 1'000'000), 0u);
  // Of the many segments of a grant as many as leave the fast one its part: lambda is 1.2 - 0.02 by now.
  window_bytes = 211'700 * 118 / 100 + 1460 + 10 * 1460 + 700;
  EXPECT_EQ(grant(1, 1'000'000), 14'600u);
}

TEST_F(SchedulerTest, BlestGivesTheFastSubflowAllItCanTake) {
  scheduler = make_scheduler("blest");
  subflows = {subflow(0, 10ms), subflow(1, 100ms)};
  window_bytes = 20'000;
  EXPECT_GT(grant(0, 20'000), 0u);
}

TEST_F(SchedulerTest, BlestTrustsItsEstimateLessWhenTheWindowStopsItAllTheSame) {
  Blest blest;
  subflows = {subflow(0, 10ms), subflow(1, 100ms)};
  const auto ask = [&] {
    now += 100ms;
    return blest.grant({.subflows = subflows,
                        .asking = &subflows[1],
                        .waiting_bytes = 1460,
                        .window_bytes = 1'000'000,
                        .window_stops = window_stops,
                        .now = now});
  };
  for (int i = 0; i < 30; ++i) ask();
  EXPECT_DOUBLE_EQ(blest.lambda(), 1.0);
  for (int i = 0; i < 30; ++i) {
    ++window_stops;
    ask();
  }
  EXPECT_DOUBLE_EQ(blest.lambda(), 1.3);
}

// Lim et al. 2017, algorithm 1, without deviations: the fast one needs (1 + k / 10) * 10 ms for k segments.
TEST_F(SchedulerTest, EcfWaitsForTheFastSubflowWhenItIsThroughSooner) {
  scheduler = make_scheduler("ecf");
  subflows = {subflow(0, 10ms), subflow(1, 100ms)};
  subflows[0].room_bytes = 0;
  EXPECT_EQ(grant(1, 50 * 1460), 0u) << "60 ms by the fast one, 100 ms by the slow one";
  EXPECT_GT(grant(1, 200 * 1460), 0u) << "210 ms by the fast one";
}

TEST_F(SchedulerTest, EcfGoesOnWaitingALittleLonger) {
  scheduler = make_scheduler("ecf");
  subflows = {subflow(0, 10ms), subflow(1, 100ms)};
  EXPECT_GT(grant(1, 100 * 1460), 0u) << "110 ms by the fast one is more than 100";
  EXPECT_EQ(grant(1, 80 * 1460), 0u);
  EXPECT_EQ(grant(1, 100 * 1460), 0u) << "110 ms is less than 1.25 * 100: beta";
  EXPECT_GT(grant(1, 130 * 1460), 0u);
  EXPECT_GT(grant(1, 100 * 1460), 0u) << "it waits no more";
}

TEST_F(SchedulerTest, EcfSendsAtOnceWhatTheSlowSubflowHasThroughSoonEnough) {
  scheduler = make_scheduler("ecf");
  subflows = {subflow(0, 10ms), subflow(1, 15ms)};
  EXPECT_GT(grant(1, 1460), 0u) << "a tenth of the slow one's window: 1.5 ms, less than 2 * 10 ms";
}

TEST_F(SchedulerTest, EcfCountsTheDeviationOfTheRtt) {
  scheduler = make_scheduler("ecf");
  subflows = {subflow(0, 10ms), subflow(1, 100ms)};
  subflows[0].rttvar = 60ms;
  EXPECT_EQ(grant(1, 120 * 1460), 0u) << "130 ms is less than 100 + 60";
}

// FreeBSD report, III.E.
TEST_F(SchedulerTest, SharedBufferDividesWhatNobodyHasWhenTheBufferIsFull) {
  scheduler = make_scheduler("shared-buffer");
  subflows = {subflow(0, 90ms), subflow(1, 10ms), subflow(2, 10ms)};
  EXPECT_EQ(grant(0, 30'000), 30'000u) << "the application can write: more will come";
  is_send_buffer_full = true;
  EXPECT_EQ(grant(0, 30'000), 10'000u);
  EXPECT_EQ(grant(0, 3'000), 1460u) << "a segment at least";
  EXPECT_EQ(grant(0, 900), 900u);
  subflows[2].is_usable = false;
  EXPECT_EQ(grant(0, 30'000), 15'000u);
  buffered_bytes = 60'000;
  EXPECT_EQ(grant(0, 20'000), 20'000u) << "a part of what nobody has, in the window or not";
}

TEST_F(SchedulerTest, WeightedSharesInProportion) {
  scheduler = make_scheduler("weighted");
  subflows = {subflow(0, 10ms), subflow(1, 100ms)};
  subflows[0].policy.weight = 1;
  subflows[1].policy.weight = 3;
  for (int i = 0; i < 400; ++i) {
    serve(4 * 1460);
    for (SubflowView& s : subflows) s.room_bytes = 1'000'000;
  }
  const double share = static_cast<double>(subflows[1].sent_bytes) /
                       static_cast<double>(subflows[0].sent_bytes + subflows[1].sent_bytes);
  EXPECT_NEAR(share, 0.75, 0.02);
}

TEST_F(SchedulerTest, WeightedGivesWhatAFullPathCannotTakeToTheOthers) {
  scheduler = make_scheduler("weighted");
  subflows = {subflow(0, 10ms), subflow(1, 100ms)};
  subflows[0].policy.weight = 9;
  subflows[0].room_bytes = 14'600;
  EXPECT_EQ(serve(200'000), (std::vector<uint64_t>{14'600, 185'400}));
}

TEST_F(SchedulerTest, StrictSharesLeaveAPathIdleRather) {
  options.is_share_strict = true;
  scheduler = make_scheduler("weighted", options);
  subflows = {subflow(0, 10ms), subflow(1, 100ms)};
  subflows[0].room_bytes = 14'600;
  const std::vector<uint64_t> served = serve(1'000'000);
  EXPECT_EQ(served[0], 14'600u);
  EXPECT_GT(served[1], 0u);
  EXPECT_LT(served[1], 200'000u);
  EXPECT_EQ(grant(1, 500'000), 0u);
  subflows[0].in_flight_bytes = 0;  // it may never go on
  EXPECT_GT(grant(1, 500'000), 0u);
}

TEST_F(SchedulerTest, LowerPrioritiesCarryWhatOverflows) {
  scheduler = make_scheduler("weighted");
  subflows = {subflow(0, 10ms), subflow(1, 1ms), subflow(2, 1ms)};
  subflows[1].policy.priority = 2;
  subflows[2].policy.priority = 1;
  EXPECT_EQ(rank(), (std::vector<uint8_t>{0, 2, 1}));
  EXPECT_EQ(grant(2, 5000), 0u);
  subflows[0].room_bytes = 0;
  EXPECT_EQ(grant(2, 5000), 5000u);
  EXPECT_EQ(grant(1, 5000), 0u) << "its turn comes when the second is full as well";
  subflows[2].room_bytes = 1000;
  EXPECT_EQ(grant(1, 5000), 5000u);
}

TEST_F(SchedulerTest, StandbyPathsWaitUntilTheBetterAreGone) {
  options.is_standby = true;
  scheduler = make_scheduler("weighted", options);
  subflows = {subflow(0, 10ms), subflow(1, 1ms)};
  subflows[1].policy.priority = 1;
  subflows[0].room_bytes = 0;
  EXPECT_EQ(grant(1, 5000), 0u);
  subflows[0].is_stalled = true;
  EXPECT_EQ(grant(1, 5000), 5000u);
}

TEST_F(SchedulerTest, ABudgetIsNotExceededWhileThereIsAnotherPath) {
  scheduler = make_scheduler("weighted");
  subflows = {subflow(0, 10ms), subflow(1, 1ms)};
  subflows[1].policy.budget_bytes = 20'000;
  for (int i = 0; i < 10; ++i) serve(30'000);
  EXPECT_LE(subflows[1].sent_bytes, 20'000u);
  EXPECT_GT(subflows[1].sent_bytes, 20'000u - 1460u) << "less than a segment is left of it";
  EXPECT_EQ(subflows[0].sent_bytes + subflows[1].sent_bytes, 300'000u);
  subflows[0].is_stalled = true;
  EXPECT_EQ(grant(1, 5000), 5000u) << "nothing else is left";
}

TEST_F(SchedulerTest, APathThatReturnsDoesNotClaimAllItMissed) {
  scheduler = make_scheduler("weighted");
  subflows = {subflow(0, 10ms), subflow(1, 10ms)};
  subflows[1].is_stalled = true;
  for (int i = 0; i < 50; ++i) {
    subflows[0].room_bytes = 100'000;
    serve(100'000);
  }
  subflows[1].is_stalled = false;
  for (SubflowView& s : subflows) s.room_bytes = 1'000'000;
  const uint64_t before = subflows[0].sent_bytes;
  for (int i = 0; i < 20; ++i) serve(50'000);
  EXPECT_GT(subflows[0].sent_bytes, before + 300'000);
}

TEST_F(SchedulerTest, APlugInsNameIsTakenOnce) {
  struct Mine final : Scheduler {
    std::string_view name() const override { return "test-only"; }
    void rank(std::span<const SubflowView>, std::span<uint8_t>) override {}
    uint64_t grant(const ScheduleInput&) override { return 0; }
  };
  const auto factory = [](const SchedulerOptions&) { return std::make_unique<Mine>(); };
  EXPECT_FALSE(register_scheduler("ecf", factory));
  EXPECT_FALSE(register_scheduler("", factory));
  ASSERT_TRUE(register_scheduler("test-only", factory));
  EXPECT_FALSE(register_scheduler("test-only", factory));
  EXPECT_EQ(make_scheduler("test-only")->name(), "test-only");
}

TEST_F(SchedulerTest, LowestRttTriesAPathThatBulkDataPassedOverForLong) {
  pass_over_the_second(300ms);
  EXPECT_EQ(rank(), (std::vector<uint8_t>{0, 1}));
  EXPECT_EQ(grant(1, 50'000), 0u) << "the fastest can use all of the window";
  subflows[1].idle = 400ms;
  EXPECT_EQ(rank(), (std::vector<uint8_t>{1, 0}));
  EXPECT_EQ(grant(1, 50'000), 10 * 1460u);
}

TEST_F(SchedulerTest, LowestRttTriesASlowPathTheSeldomer) {
  pass_over_the_second(10s);
  EXPECT_EQ(rank(), (std::vector<uint8_t>{1, 0}));
  subflows[1].usual_rate = 62'500;  // the trial takes it 234 ms
  EXPECT_EQ(rank(), (std::vector<uint8_t>{0, 1}));
  subflows[1].idle = 16s;
  EXPECT_EQ(rank(), (std::vector<uint8_t>{1, 0}));
}

TEST_F(SchedulerTest, LowestRttTriesNoPathThatWouldKeepTheOthersWaiting) {
  pass_over_the_second(10s);
  subflows[1].min_rtt = 41ms;
  EXPECT_EQ(rank(), (std::vector<uint8_t>{0, 1})) << "by its RTT";
  subflows[1].min_rtt = 25ms;
  ASSERT_EQ(rank(), (std::vector<uint8_t>{1, 0}));
  subflows[0].in_flight_bytes = 1460;
  EXPECT_EQ(rank(), (std::vector<uint8_t>{0, 1})) << "a request that comes now and then goes the fastest way";
}

}  // namespace
}  // namespace braid::mptcp
