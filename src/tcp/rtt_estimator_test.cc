#include "tcp/rtt_estimator.h"

#include <gtest/gtest.h>

namespace braid::tcp {
namespace {

TEST(RttEstimator, FollowsRfc6298) {
  RttEstimator rtt({.initial = 1s, .min = 1ms, .max = 60s});
  EXPECT_EQ(rtt.rto(), 1s);
  rtt.on_sample(100ms, Time(1s));
  EXPECT_EQ(rtt.srtt(), 100ms);
  EXPECT_EQ(rtt.rttvar(), 50ms);
  EXPECT_EQ(rtt.rto(), 300ms);
  rtt.on_sample(180ms, Time(2s));
  EXPECT_EQ(rtt.rttvar(), 57'500us);  // 3/4 * 50 + 1/4 * 80
  EXPECT_EQ(rtt.srtt(), 110ms);       // 7/8 * 100 + 1/8 * 180
}

TEST(RttEstimator, SteadyLongPathLeavesRoomForADelayedAck) {
  RttEstimator rtt(RtoLimits{});
  for (int i = 0; i < 200; ++i) rtt.on_sample(300ms, Time(1s) + i * 300ms);
  EXPECT_GE(rtt.rto(), 499ms);
}

TEST(RttEstimator, StaysWithinItsLimits) {
  RttEstimator rtt({.initial = 1s, .min = 200ms, .max = 60s});
  rtt.on_sample(10h, Time(1s));
  EXPECT_EQ(rtt.rto(), 60s);
  RttEstimator none({.initial = 1s, .min = 200ms, .max = 60s});
  none.on_sample(Duration(0), Time(1s));
  EXPECT_TRUE(none.has_sample());
  EXPECT_GE(none.rto(), 200ms);
}

TEST(RttEstimator, MinimumForgetsAnOldRoute) {
  RttEstimator rtt(RtoLimits{});
  Time now{1s};
  rtt.on_sample(10ms, now);
  for (int i = 0; i < 100; ++i) rtt.on_sample(50ms, now += 1s);
  EXPECT_EQ(rtt.min_rtt(), 10ms);
  for (int i = 0; i < 250; ++i) rtt.on_sample(i % 7 == 0 ? 45ms : 50ms, now += 1s);
  EXPECT_EQ(rtt.min_rtt(), 45ms);
  rtt.on_sample(5ms, now);
  EXPECT_EQ(rtt.min_rtt(), 5ms);
}

}  // namespace
}  // namespace braid::tcp
