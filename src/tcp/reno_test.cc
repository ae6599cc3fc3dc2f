#include "tcp/reno.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tcp/test_path.h"

namespace braid::tcp {
namespace {

constexpr uint32_t kMss = 1000;

AckSample limited_ack(uint64_t bytes) {
  AckSample sample;
  sample.now = Time(1s);
  sample.acked_bytes = bytes;
  sample.is_cwnd_limited = true;
  sample.srtt = sample.min_rtt = 100ms;
  return sample;
}

TEST(Reno, OneAckOfASuperSegmentCountsAsAllItsSegments) {
  Reno reno(kMss);
  reno.on_ack(limited_ack(10 * kMss));
  EXPECT_EQ(reno.cwnd_bytes(), 20u * kMss);
}

TEST(Reno, SlowStartStopsAtSsthreshAndTheRestOfTheAckCountsForAvoidance) {
  Reno reno(kMss);
  reno.on_ack(limited_ack(30 * kMss));
  reno.on_congestion({Time(1s), 40 * kMss, 100ms});
  EXPECT_EQ(reno.cwnd_bytes(), 20u * kMss);
  reno.on_timeout({Time(1s), 40 * kMss, 100ms}, false);
  EXPECT_EQ(reno.cwnd_bytes(), kMss);
  EXPECT_EQ(reno.ssthresh_bytes(), 20u * kMss);
  reno.on_ack(limited_ack(29 * kMss));
  EXPECT_EQ(reno.cwnd_bytes(), 20u * kMss + kMss / 2);
}

TEST(Reno, GrowsOneSegmentARoundTripHoweverTheAcksFall) {
  for (const uint64_t step : {1u, 7u, 500u, 1000u, 2000u, 20'000u}) {
    Reno reno(kMss);
    reno.on_ack(limited_ack(30 * kMss));
    reno.on_congestion({Time(1s), 40 * kMss, 100ms});
    for (uint64_t acked = 0; acked < 20 * kMss; acked += step) reno.on_ack(limited_ack(step));
    EXPECT_NEAR(static_cast<double>(reno.cwnd_bytes()), 21.0 * kMss, 60) << step;
  }
}

TEST(Reno, LossInAShortExchangeSparesTheLongTransferAfterIt) {
  Reno reno(kMss);
  reno.on_congestion({Time(1s), kMss, 100ms});
  EXPECT_EQ(reno.cwnd_bytes(), 5u * kMss);
}

TEST(Reno, RestoresWhatASpuriousTimeoutTook) {
  Reno reno(kMss);
  reno.on_ack(limited_ack(90 * kMss));
  reno.on_timeout({Time(1s), 100 * kMss, 100ms}, true);
  reno.on_timeout({Time(2s), 100 * kMss, 100ms}, false);
  reno.on_spurious();
  EXPECT_EQ(reno.cwnd_bytes(), 100u * kMss);
  EXPECT_TRUE(reno.in_slow_start());
}

// Mathis et al., 1997: the mean window is sqrt(3 / (2 p)) where every ACK is for one segment.
TEST(Reno, MeanWindowFollowsTheSquareRootOfTheLossRate) {
  TestPath::Options options;
  options.recovery.mss_bytes = kMss;
  options.super_segment_bytes = kMss;
  TestPath path(options);
  path.drop = [](const TestPacket& p) { return p.index % 1000 == 999; };
  path.write(UINT32_MAX);
  path.run_for(60s);
  const uint64_t before = path.delivered_bytes();
  path.run_for(200s);
  const double window = static_cast<double>(path.delivered_bytes() - before) / kMss / 2000;
  EXPECT_NEAR(window, std::sqrt(1.5 * 1000), 4);
  EXPECT_EQ(path.recovery.totals().timeouts, 0u);
}

}  // namespace
}  // namespace braid::tcp
