#include "mptcp/coupled/lia.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.h"

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

/// Leaves slow start with this window.
void set_window(tcp::CongestionControl& cc, uint64_t cwnd_bytes, Duration rtt) {
  if (cc.cwnd_bytes() < 2 * cwnd_bytes) cc.on_ack(limited_ack(2 * cwnd_bytes - cc.cwnd_bytes(), rtt));
  cc.on_congestion({Time(1s), 2 * cwnd_bytes, rtt});
}

double seconds(Duration d) { return std::chrono::duration<double>(d).count(); }

class LiaMembers : public testing::TestWithParam<uint64_t> {};

// RFC 6356, 2: goals 1 and 2. Per second, all windows together grow no more than the best path's alone would
// under Reno; and none grows more than it would alone.
TEST_P(LiaMembers, TakeNoMoreThanTheBestPathAlone) {
  SeededRandom random(GetParam());
  const auto group = make_coupled_group("lia");
  std::vector<std::unique_ptr<tcp::CongestionControl>> members;
  std::vector<Duration> rtts;
  for (uint64_t n = 1 + random.below(8); n > 0; --n) {
    members.push_back(group->make_member(kMss));
    rtts.push_back(1ms + Duration(static_cast<int64_t>(random.below(500'000'000))));
    set_window(*members.back(), (10 + random.below(1000)) * kMss, rtts.back());
  }
  double increase = 0, best = 0, best_rate = 0;
  for (size_t i = 0; i < members.size(); ++i) {
    // A window's worth of ACKs in steps too small to change alpha by themselves.
    const uint64_t before = members[i]->cwnd_bytes();
    for (uint64_t acked = 0; acked < before; acked += kMss) members[i]->on_ack(limited_ack(kMss, rtts[i]));
    const double grown = static_cast<double>(members[i]->cwnd_bytes() - before);
    EXPECT_LE(grown, kMss + 1);
    increase += grown / seconds(rtts[i]);
    const double rate = static_cast<double>(before) / seconds(rtts[i]) / seconds(rtts[i]);
    if (rate > best_rate) {
      best_rate = rate;
      best = kMss / seconds(rtts[i]);
    }
  }
  EXPECT_LE(increase, best * 1.05 + 10);
}
INSTANTIATE_TEST_SUITE_P(Seeds, LiaMembers, testing::Range<uint64_t>(0, 50));

TEST(Lia, AloneItIsReno) {
  const auto group = make_coupled_group("lia");
  const auto member = group->make_member(kMss);
  set_window(*member, 50 * kMss, 100ms);
  member->on_ack(limited_ack(50 * kMss, 100ms));
  EXPECT_NEAR(static_cast<double>(member->cwnd_bytes()), 51.0 * kMss, 2);
}

TEST(Lia, TwoSubflowsOverOneBottleneckShareWhatOneRenoWouldGet) {
  constexpr double kLoss = 1e-3;
  const auto group = make_coupled_group("lia");
  const std::unique_ptr<tcp::CongestionControl> pair[] = {group->make_member(kMss), group->make_member(kMss)};
  SeededRandom random(7);
  double total = 0;
  constexpr int kRounds = 40'000;
  for (int round = 0; round < kRounds; ++round) {
    for (const auto& member : pair) {
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
  EXPECT_LT(total, reno * 1.25);
  EXPECT_GT(total, reno * 0.8);
}

TEST(Lia, MembersLeaveTheGroupWhenClosedOrDestroyed) {
  const auto group = make_coupled_group("lia");
  auto stays = group->make_member(kMss);
  auto goes = group->make_member(kMss);
  auto closes = group->make_member(kMss);
  for (const auto& member : {&stays, &goes, &closes}) set_window(**member, 50 * kMss, 100ms);
  goes.reset();
  closes->on_closed();
  stays->on_ack(limited_ack(50 * kMss, 100ms));
  EXPECT_NEAR(static_cast<double>(stays->cwnd_bytes()), 51.0 * kMss, 2);  // coupled to nobody
}

TEST(Lia, UnknownNamesMakeNothing) {
  EXPECT_EQ(make_coupled_group("reno"), nullptr);
  for (const std::string& name : coupled_names()) EXPECT_NE(make_coupled_group(name), nullptr);
}

}  // namespace
}  // namespace braid::mptcp
