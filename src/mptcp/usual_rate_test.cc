#include "mptcp/usual_rate.h"

#include <gtest/gtest.h>

namespace braid::mptcp {
namespace {

using namespace std::chrono_literals;

/// A path of 100 ms and what its subflow hears of it, a round trip at a time.
class UsualRateTest : public testing::Test {
 protected:
  struct Round {
    uint64_t bytes = 0;
    uint64_t cwnd_bytes = 0;
    uint64_t ssthresh_bytes = UINT64_MAX;
    Duration took = 100ms;
    Duration srtt = 100ms;
  };
  void run(const Round& round, int times = 1) {
    for (int i = 0; i < times; ++i) {
      now += round.took;
      delivered += round.bytes;
      rate.on_ack({.now = now,
                   .srtt = round.srtt,
                   .min_rtt = 100ms,
                   .cwnd_bytes = round.cwnd_bytes,
                   .ssthresh_bytes = round.ssthresh_bytes,
                   .in_flight_bytes = round.bytes,
                   .delivered_bytes = delivered,
                   .snd_una = StreamOffset(delivered),
                   .snd_max = StreamOffset(delivered + round.bytes)});
    }
  }
  double known() const { return rate.bytes_per_s(now, 100ms); }

  UsualRate rate;
  Time now{1s};
  uint64_t delivered = 1;
};

TEST_F(UsualRateTest, IsNotKnownBeforeThePathHasShownALimit) {
  run({.bytes = 50'000, .cwnd_bytes = 100'000}, 10);
  EXPECT_EQ(known(), 0);
  run({.bytes = 90'000, .cwnd_bytes = 100'000, .took = 180ms, .srtt = 180ms}, 10);
  EXPECT_NEAR(known(), 500'000, 50'000) << "its queue has grown";
}

TEST_F(UsualRateTest, IsWhatArrivesWhileThePathIsTheLimit) {
  run({.bytes = 80'000, .cwnd_bytes = 80'000, .ssthresh_bytes = 80'000}, 50);
  EXPECT_NEAR(known(), 800'000, 1000);
  // Nor does a shorter queue make more of it, with the same window.
  run({.bytes = 80'000, .cwnd_bytes = 120'000, .ssthresh_bytes = 80'000, .srtt = 50ms}, 50);
  EXPECT_NEAR(known(), 800'000, 1000);
}

// One loss on a path that the peer's window had limited for long: what was left of its window was taken for
// all that it could carry, and another path had everything from then on.
TEST_F(UsualRateTest, AFirstLossDoesNotMakeItForgetWhatThePathHasCarried) {
  run({.bytes = 70'000, .cwnd_bytes = 150'000}, 100);
  run({.bytes = 30'000, .cwnd_bytes = 49'000, .ssthresh_bytes = 49'000}, 4);
  EXPECT_GT(known(), 600'000);
}

TEST_F(UsualRateTest, FallsSlowlyWithWhatLossesLeave) {
  run({.bytes = 80'000, .cwnd_bytes = 80'000, .ssthresh_bytes = 80'000}, 50);
  run({.bytes = 40'000, .cwnd_bytes = 40'000, .ssthresh_bytes = 40'000}, 4);
  EXPECT_GT(known(), 700'000);
  run({.bytes = 40'000, .cwnd_bytes = 40'000, .ssthresh_bytes = 40'000}, 200);
  EXPECT_NEAR(known(), 400'000, 10'000);
}

TEST_F(UsualRateTest, GrowsWithTimeOnlyWhileThePathIsLeftOut) {
  run({.bytes = 80'000, .cwnd_bytes = 80'000, .ssthresh_bytes = 80'000}, 50);
  // In use, but the connection's window is less than the path's.
  run({.bytes = 60'000, .cwnd_bytes = 200'000, .ssthresh_bytes = 80'000}, 1000);
  EXPECT_NEAR(known(), 800'000, 5000);
  now += 51200ms;
  EXPECT_NEAR(known(), 1'600'000, 20'000);
}

}  // namespace
}  // namespace braid::mptcp
