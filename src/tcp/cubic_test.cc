#include "tcp/cubic.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tcp/test_path.h"

namespace braid::tcp {
namespace {

constexpr uint32_t kMss = 1000;

/// Feeds an algorithm ideal round trips, one ACK a segment.
class Rounds {
 public:
  explicit Rounds(Duration rtt) : rtt_(rtt) {}
  void run(CongestionControl& cc, Duration time, bool is_cwnd_limited = true) {
    for (const Time end = now + time; now < end;) {
      const uint64_t acks = cc.cwnd_bytes() / kMss;
      for (uint64_t i = 0; i < acks && now < end; ++i) {
        now += rtt_ / static_cast<int64_t>(acks);
        AckSample sample;
        sample.now = now;
        sample.acked_bytes = kMss;
        sample.is_cwnd_limited = is_cwnd_limited;
        sample.srtt = sample.min_rtt = sample.rtt = rtt_;
        sample.snd_una = snd_una_ += kMss;
        sample.snd_nxt = snd_una_ + cc.cwnd_bytes();
        cc.on_ack(sample);
      }
    }
  }
  void grow_to(CongestionControl& cc, uint64_t cwnd_bytes) {
    while (cc.cwnd_bytes() < cwnd_bytes) run(cc, rtt_ / 50);
  }
  LossSample loss(const CongestionControl& cc) const { return {now, cc.cwnd_bytes(), rtt_}; }

  Time now{1s};

 private:
  Duration rtt_;
  StreamOffset snd_una_{1};
};

double segments(const CongestionControl& cc) { return static_cast<double>(cc.cwnd_bytes()) / kMss; }

TEST(Cubic, ReturnsToTheOldWindowAfterKSecondsAndIsFlatThere) {
  Cubic cubic(kMss);
  Rounds rounds(100ms);
  rounds.grow_to(cubic, 1000 * kMss);
  const double top = segments(cubic);
  cubic.on_congestion(rounds.loss(cubic));
  EXPECT_NEAR(segments(cubic), 0.7 * top, 1);
  const double k = std::cbrt(top * 0.3 / 0.4);  // RFC 9438, 4.2
  const auto share = [&](double part) { return std::chrono::duration_cast<Duration>(k * part * 1s); };
  rounds.run(cubic, share(0.5));
  EXPECT_NEAR(segments(cubic), top * (1 - 0.3 / 8), top * 0.01);  // concave: most is back at half the time
  rounds.run(cubic, share(0.5));
  EXPECT_NEAR(segments(cubic), top, top * 0.01);
  rounds.run(cubic, share(0.5));
  EXPECT_NEAR(segments(cubic), top * (1 + 0.3 / 8), top * 0.012);  // convex: probing
}

TEST(Cubic, IsAsFastAsRenoWhereRenoIsFaster) {
  Cubic cubic(kMss);
  Rounds rounds(10ms);  // short: the curve hardly rises in a round trip
  rounds.grow_to(cubic, 40 * kMss);
  cubic.on_congestion(rounds.loss(cubic));
  const double before = segments(cubic);
  rounds.run(cubic, 100ms);
  EXPECT_NEAR(segments(cubic) - before, 10 * 0.53, 0.7);
}

TEST(Cubic, GivesWayToNewcomers) {
  Cubic one(kMss), two(kMss);
  Rounds rounds(100ms);
  rounds.grow_to(one, 1000 * kMss);
  one.on_congestion(rounds.loss(one));
  one.on_congestion(rounds.loss(one));  // below its former maximum: fast convergence (RFC 9438, 4.7)
  const double after_two = segments(one);
  rounds.run(one, 8s);
  rounds.grow_to(two, static_cast<uint64_t>(after_two / 0.7) * kMss);
  two.on_congestion(rounds.loss(two));
  const double started = segments(two);
  rounds.run(two, 8s);
  EXPECT_NEAR(started, after_two, 8);
  EXPECT_LT(segments(one), 0.9 * segments(two));
}

TEST(Cubic, UnusedTimeIsNotMadeUpFor) {
  Cubic idle(kMss);
  Rounds rounds(100ms);
  rounds.grow_to(idle, 500 * kMss);
  idle.on_congestion(rounds.loss(idle));
  rounds.run(idle, 2s);
  const double before = segments(idle);
  rounds.run(idle, 10s, false);
  EXPECT_EQ(segments(idle), before);
  rounds.run(idle, 200ms);
  EXPECT_LT(segments(idle), before * 1.1);
}

TEST(Cubic, RestoresWhatASpuriousReductionTook) {
  Cubic cubic(kMss);
  Rounds rounds(100ms);
  rounds.grow_to(cubic, 300 * kMss);
  cubic.on_congestion(rounds.loss(cubic));
  rounds.run(cubic, 3s);
  const uint64_t before = cubic.cwnd_bytes(), ssthresh = cubic.ssthresh_bytes();
  cubic.on_timeout(rounds.loss(cubic), true);
  EXPECT_EQ(cubic.cwnd_bytes(), kMss);
  cubic.on_spurious();
  EXPECT_EQ(cubic.cwnd_bytes(), before);
  EXPECT_EQ(cubic.ssthresh_bytes(), ssthresh);
}

TEST(Cubic, GrowsSlowlyInTheFirstEpochAfterATimeout) {
  Cubic cubic(kMss);
  Rounds rounds(100ms);
  rounds.grow_to(cubic, 400 * kMss);
  cubic.on_timeout(rounds.loss(cubic), true);
  while (cubic.in_slow_start()) rounds.run(cubic, 1ms);
  const double before = segments(cubic);
  rounds.run(cubic, 1s);  // flat from here (RFC 9438, 4.8), not up the concave side
  EXPECT_LT(segments(cubic), before + 10);
}

// RFC 9438, 5.1: 1.054 * RTT^(3/4) / p^(3/4) segments. The formula knows neither fast convergence nor the
// round trip that a recovery takes.
TEST(Cubic, MeanWindowFollowsTheResponseFunction) {
  TestPath::Options options;
  options.recovery.mss_bytes = kMss;
  options.super_segment_bytes = kMss;
  options.algorithm = "cubic";
  TestPath path(options);
  path.drop = [](const TestPacket& p) { return p.index % 10'000 == 9'999; };
  path.write(UINT32_MAX);
  path.run_for(40s);
  const uint64_t before = path.delivered_bytes();
  path.run_for(80s);
  const double window = static_cast<double>(path.delivered_bytes() - before) / kMss / 800;
  const double predicted = 1.054 * std::pow(0.1 / 1e-4, 0.75);
  EXPECT_GT(window, 0.8 * predicted);
  EXPECT_LT(window, 1.1 * predicted);
}

TEST(Cubic, LeavesSlowStartWhenTheQueueGrowsBeforeAnythingIsLost) {
  TestPath::Options options;
  options.recovery.mss_bytes = kMss;
  options.super_segment_bytes = 10 * kMss;
  options.algorithm = "cubic";
  options.rate_bytes_per_second = 5e6;  // 500 segments a round trip
  TestPath path(options);
  path.write(UINT32_MAX);
  path.run_for(3s);
  EXPECT_FALSE(path.recovery.congestion_control().in_slow_start());
  // Five rounds of careful growth after the first that was slower (RFC 9406, 4.2); plain slow start is at
  // fifteen thousand segments by now.
  EXPECT_LT(path.recovery.cwnd_bytes(), 4000u * kMss);
  EXPECT_GT(path.recovery.cwnd_bytes(), 400u * kMss);
}

TEST(Cubic, JitterAloneDoesNotEndSlowStart) {
  TestPath::Options options;
  options.recovery.mss_bytes = kMss;
  options.super_segment_bytes = kMss;
  options.algorithm = "cubic";
  TestPath path(options);
  // One round trip is slow as a whole, as on a radio link; the path has all the capacity in the world.
  path.extra_delay = [&](const TestPacket&) {
    return path.now > Time(1s + 350ms) && path.now < Time(1s + 450ms) ? Duration(30ms) : Duration(0);
  };
  path.write(UINT32_MAX);
  path.run_for(1100ms);
  EXPECT_TRUE(path.recovery.congestion_control().in_slow_start());
  EXPECT_GT(path.recovery.cwnd_bytes(), 1000u * kMss);
}

}  // namespace
}  // namespace braid::tcp
