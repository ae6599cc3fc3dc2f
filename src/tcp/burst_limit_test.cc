#include "tcp/burst_limit.h"

#include <gtest/gtest.h>

namespace braid::tcp {
namespace {

constexpr uint32_t kMss = 1000;
constexpr uint64_t kCwnd = 100 * kMss;

BurstLimit::Window window(Duration srtt = 100ms, bool is_slow_start = false) {
  return {.cwnd_bytes = kCwnd, .srtt = srtt, .mss_bytes = kMss, .is_slow_start = is_slow_start};
}

/// One whose first flight is out and acknowledged, so that it is in force.
BurstLimit used(Time now) {
  BurstLimit limit;
  limit.on_ack(0, window());
  limit.on_sent(limit.allowance_bytes(now, window()));
  EXPECT_EQ(limit.allowance_bytes(now, window()), 0u);
  limit.on_deadline();
  return limit;
}

TEST(BurstLimit, LetsTheInitialWindowGoAtOnce) {
  BurstLimit limit;
  EXPECT_GE(limit.allowance_bytes(Time(1s), window()), kCwnd);
}

TEST(BurstLimit, LetsTenSegmentsGoAfterAPause) {
  BurstLimit limit = used(Time(1s));
  EXPECT_EQ(limit.allowance_bytes(Time(1s), window()), 0u);
  EXPECT_EQ(limit.allowance_bytes(Time(100s), window()), 10 * kMss);
}

TEST(BurstLimit, NeverDelaysWhatAcksClockOut) {
  for (const bool is_slow_start : {false, true}) {
    BurstLimit limit = used(Time(1s));
    const uint64_t clocked = (is_slow_start ? 4 : 2) * kMss;
    for (int i = 0; i < 50; ++i) {
      limit.on_ack(2 * kMss, window(100ms, is_slow_start));
      EXPECT_EQ(limit.allowance_bytes(Time(1s), window(100ms, is_slow_start)), clocked);
      limit.on_sent(clocked);
    }
    EXPECT_EQ(limit.next_deadline(), kNever);
  }
}

// What ACKs brought while the peer's window was shut is not saved up.
TEST(BurstLimit, ForgetsWhatWasNotUsed) {
  BurstLimit limit = used(Time(1s));
  for (int i = 0; i < 50; ++i) limit.on_ack(2 * kMss, window());
  EXPECT_EQ(limit.allowance_bytes(Time(1s), window()), 12 * kMss);
}

TEST(BurstLimit, SendsAWindowInARoundTripAndTwoInSlowStart) {
  for (const bool is_slow_start : {false, true}) {
    Time now(1s);
    BurstLimit limit = used(now);
    uint64_t sent = 0;
    while (sent < kCwnd) {
      const uint64_t allowed = limit.allowance_bytes(now, window(100ms, is_slow_start));
      limit.on_sent(allowed);
      sent += allowed;
      if (allowed > 0) continue;
      ASSERT_GT(limit.next_deadline(), now);
      now = limit.next_deadline();
      limit.on_deadline();
      EXPECT_EQ(limit.next_deadline(), kNever);
    }
    EXPECT_NEAR(std::chrono::duration<double>(now - Time(1s)).count(), is_slow_start ? 0.05 : 0.1, 0.006);
  }
}

TEST(BurstLimit, DoesNotConcernShortPaths) {
  BurstLimit limit = used(Time(1s));
  EXPECT_GE(limit.allowance_bytes(Time(1s) + 2ms, window(1ms)), kCwnd - kMss);
}

}  // namespace
}  // namespace braid::tcp
