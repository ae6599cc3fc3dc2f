// What holds of several coupled algorithms, and what each says of itself. LIA's own: lia_test.cc.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.h"
#include "mptcp/coupled/balia.h"
#include "mptcp/coupled/olia.h"
#include "mptcp/coupled/wvegas.h"

namespace braid::mptcp {
namespace {

constexpr uint32_t kMss = 1000;

tcp::AckSample limited_ack(uint64_t bytes, Duration rtt) {
  tcp::AckSample sample;
  sample.now = Time(1s);
  sample.acked_bytes = bytes;
  sample.is_cwnd_limited = true;
  sample.srtt = sample.min_rtt = sample.rtt = rtt;
  return sample;
}

using Controls = std::vector<std::unique_ptr<tcp::CongestionControl>>;

/// In congestion avoidance, with that window. An ACK tells it the RTT.
void set_window(tcp::CongestionControl& cc, uint64_t segments, Duration rtt) {
  cc.take_over(segments * kMss, segments * kMss);
  cc.on_ack(limited_ack(0, rtt));
}

class CoupledByLoss : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(, CoupledByLoss, testing::Values("lia", "olia", "balia"),
                         [](const auto& of) { return of.param; });

TEST_P(CoupledByLoss, AloneItIsReno) {
  const auto group = make_coupled_group(GetParam());
  const auto member = group->make_member(kMss);
  EXPECT_EQ(member->name(), GetParam());
  set_window(*member, 50, 100ms);
  for (int i = 0; i < 50; ++i) member->on_ack(limited_ack(kMss, 100ms));
  EXPECT_NEAR(static_cast<double>(member->cwnd_bytes()), 51.0 * kMss, 20);
  member->on_congestion({Time(1s), 51 * kMss, 100ms});
  EXPECT_NEAR(static_cast<double>(member->cwnd_bytes()), 25.5 * kMss, 20);
}

// The sum of the windows at a loss rate that all see alike, for any number of subflows.
TEST_P(CoupledByLoss, SubflowsOverOneBottleneckShareWhatOneRenoWouldGet) {
  constexpr double kLoss = 1e-3;
  for (const size_t count : {2, 3, 6}) {
    const auto group = make_coupled_group(GetParam());
    Controls members;
    for (size_t i = 0; i < count; ++i) members.push_back(group->make_member(kMss));
    SeededRandom random(7);
    double total = 0;
    constexpr int kRounds = 40'000;
    for (int round = 0; round < kRounds; ++round) {
      for (const auto& member : members) {
        const uint64_t flight = member->cwnd_bytes();
        total += static_cast<double>(flight) / kMss / kRounds;
        bool is_lost = false;
        for (uint64_t at = 0; at < flight; at += kMss) is_lost |= random.unit() < kLoss;
        if (is_lost) {
          member->on_congestion({Time(1s), flight, 100ms});
        } else {
          member->on_ack(limited_ack(flight, 100ms));
        }
      }
    }
    const double reno = std::sqrt(1.5 / kLoss);
    // LIA's alpha has the largest window in it, and the largest of many is by chance well over their mean.
    const double most = GetParam() == "lia" && count > 3 ? 1.4 : 1.25;
    EXPECT_LT(total, reno * most) << count;
    EXPECT_GT(total, reno * 0.7) << count;
  }
}

TEST_P(CoupledByLoss, MembersLeaveTheGroupWhenClosedOrDestroyed) {
  const auto group = make_coupled_group(GetParam());
  auto stays = group->make_member(kMss);
  auto goes = group->make_member(kMss);
  auto closes = group->make_member(kMss);
  for (const auto& member : {&stays, &goes, &closes}) set_window(**member, 50, 100ms);
  goes.reset();
  closes->on_closed();
  for (int i = 0; i < 50; ++i) stays->on_ack(limited_ack(kMss, 100ms));
  EXPECT_NEAR(static_cast<double>(stays->cwnd_bytes()), 51.0 * kMss, 20);  // coupled to nobody
  closes->on_ack(limited_ack(kMss, 100ms));
}

// draft-khalili-mptcp-congestion-control-05, 3: the path that delivers most between losses but has a small
// window gains, those with the largest windows pay.
TEST(Olia, MovesWindowFromTheLargestToTheBestPaths) {
  CoupledMember::Members members;
  Olia large(kMss, members), best(kMss, members), other(kMss, members);
  set_window(large, 50, 100ms);
  set_window(best, 20, 100ms);
  set_window(other, 10, 100ms);
  for (Olia* path : {&large, &best, &other}) path->on_congestion({Time(1s), path->cwnd_bytes(), 100ms});
  for (int i = 0; i < 100; ++i) best.on_ack(limited_ack(100, 100ms));
  ASSERT_GT(large.cwnd_bytes(), best.cwnd_bytes());
  EXPECT_DOUBLE_EQ(best.alpha(), 1.0 / 3);
  EXPECT_DOUBLE_EQ(large.alpha(), -1.0 / 3);
  EXPECT_DOUBLE_EQ(other.alpha(), 0);
}

TEST(Olia, BestAndLargestMeansNothingToMove) {
  CoupledMember::Members members;
  Olia a(kMss, members), b(kMss, members);
  set_window(a, 50, 100ms);
  set_window(b, 10, 100ms);
  a.on_ack(limited_ack(50 * kMss, 100ms));
  EXPECT_EQ(a.alpha(), 0);
  EXPECT_EQ(b.alpha(), 0);
}

TEST(Olia, ATimeoutOfWhatWasSentAgainDoesNotMakeAGoodPathABadOne) {
  CoupledMember::Members members;
  Olia large(kMss, members), best(kMss, members);
  set_window(large, 50, 100ms);
  set_window(best, 20, 100ms);
  for (Olia* path : {&large, &best}) path->on_congestion({Time(1s), path->cwnd_bytes(), 100ms});
  for (int i = 0; i < 100; ++i) best.on_ack(limited_ack(100, 100ms));
  best.on_congestion({Time(2s), best.cwnd_bytes(), 100ms});
  best.on_timeout({Time(3s), best.cwnd_bytes(), 100ms}, true);
  EXPECT_DOUBLE_EQ(best.alpha(), 0.5);
  EXPECT_DOUBLE_EQ(large.alpha(), -0.5);
}

TEST(Olia, ANegativeIncreaseStopsAtASegment) {
  CoupledMember::Members members;
  Olia large(kMss, members), best(kMss, members);
  set_window(large, 2, 500ms);
  set_window(best, 1, 1ms);
  best.on_ack(limited_ack(50'000, 1ms));
  best.take_over(kMss, kMss);
  ASSERT_LT(large.alpha(), 0);
  for (int i = 0; i < 1000; ++i) {
    large.on_ack(limited_ack(kMss, 500ms));
    best.take_over(kMss, kMss);
    EXPECT_GE(large.cwnd_bytes(), kMss);
  }
}

// Peng et al. 2014: less by half, and on paths slower than the fastest by up to three quarters.
TEST(Balia, PathsThatAreSlowerGiveUpMore) {
  CoupledMember::Members members;
  Balia fast(kMss, members), slow(kMss, members), slowest(kMss, members);
  set_window(fast, 100, 100ms);
  set_window(slow, 80, 100ms);      // alpha 1.25
  set_window(slowest, 100, 400ms);  // alpha 4, limited to 1.5
  slow.on_congestion({Time(1s), 80 * kMss, 100ms});
  EXPECT_EQ(slow.cwnd_bytes(), 30 * kMss);
  slowest.on_congestion({Time(1s), 100 * kMss, 400ms});
  EXPECT_EQ(slowest.cwnd_bytes(), 25 * kMss);
  fast.on_congestion({Time(1s), 100 * kMss, 100ms});
  EXPECT_GE(fast.cwnd_bytes(), 45 * kMss);
}

/// A path of 100 segments per second times its base RTT, with a queue without end; one round trip.
void round_trip(Wvegas& cc, StreamOffset& at, Duration base, double capacity_segments) {
  const double window = static_cast<double>(cc.cwnd_bytes()) / kMss;
  const double stretch = std::max(1.0, window / capacity_segments);
  const auto rtt = Duration(static_cast<int64_t>(static_cast<double>(base.count()) * stretch));
  const auto segments = static_cast<int>(window);
  const StreamOffset end = at + static_cast<uint64_t>(segments) * kMss;
  for (int i = 0; i < segments; ++i) {
    tcp::AckSample sample = limited_ack(kMss, rtt);
    at = at + kMss;
    sample.snd_una = at;
    sample.snd_nxt = end + static_cast<uint64_t>(i + 1) * kMss;
    cc.on_ack(sample);
  }
}

TEST(Wvegas, KeepsTenSegmentsInTheQueue) {
  CoupledMember::Members members;
  Wvegas cc(kMss, members);
  StreamOffset at(1);
  round_trip(cc, at, 100ms, 1000);  // sees the base RTT
  for (int i = 0; i < 300; ++i) round_trip(cc, at, 100ms, 60);
  double least = 1e9, most = 0;
  for (int i = 0; i < 100; ++i) {
    round_trip(cc, at, 100ms, 60);
    least = std::min(least, static_cast<double>(cc.cwnd_bytes()) / kMss);
    most = std::max(most, static_cast<double>(cc.cwnd_bytes()) / kMss);
  }
  EXPECT_GE(least, 60);
  EXPECT_LE(most, 60 + 12) << "ten in the queue, and one more to see";
}

TEST(Wvegas, PathsShareTheTenByWhatTheyCarry) {
  CoupledMember::Members members;
  Wvegas wide(kMss, members), narrow(kMss, members);
  StreamOffset at_wide(1), at_narrow(1);
  round_trip(wide, at_wide, 100ms, 1000);
  round_trip(narrow, at_narrow, 100ms, 1000);
  for (int i = 0; i < 600; ++i) {
    round_trip(wide, at_wide, 100ms, 90);
    round_trip(narrow, at_narrow, 100ms, 30);
  }
  const double queue_wide = static_cast<double>(wide.cwnd_bytes()) / kMss - 90;
  const double queue_narrow = static_cast<double>(narrow.cwnd_bytes()) / kMss - 30;
  EXPECT_NEAR(queue_wide, 7.5, 2.5);
  EXPECT_NEAR(queue_narrow, 2.5, 2.5);
  EXPECT_GT(queue_wide, queue_narrow);
}

TEST(Wvegas, ALossHalvesTheWindow) {
  CoupledMember::Members members;
  Wvegas cc(kMss, members);
  set_window(cc, 40, 100ms);
  cc.on_congestion({Time(1s), 40 * kMss, 100ms});
  EXPECT_EQ(cc.cwnd_bytes(), 20 * kMss);
}

// Every pair: what runs goes on with the window that it finds.
TEST(ChangeOfCongestionControl, CarriesTheWindowOver) {
  for (const std::string& name : all_congestion_control_names()) {
    const auto group = make_coupled_group(name);
    const auto made = group != nullptr ? group->make_member(kMss) : tcp::make_congestion_control(name, kMss);
    made->take_over(77 * kMss, 60 * kMss);
    EXPECT_EQ(made->cwnd_bytes(), 77 * kMss) << name;
    EXPECT_EQ(made->ssthresh_bytes(), 60 * kMss) << name;
    EXPECT_FALSE(made->in_slow_start());
    made->on_ack(limited_ack(77 * kMss, 100ms));
    EXPECT_LE(made->cwnd_bytes(), 90 * kMss) << name << ": it is past slow start";
    made->on_spurious();
    EXPECT_GE(made->cwnd_bytes(), 77 * kMss) << name << ": nothing of its own to put back";
    made->take_over(0, UINT64_MAX);
    EXPECT_EQ(made->cwnd_bytes(), kMss) << name << ": a segment at least";
    EXPECT_TRUE(made->in_slow_start());
  }
}

}  // namespace
}  // namespace braid::mptcp
