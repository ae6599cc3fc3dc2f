// Loss recovery against networks and receivers drawn at random. Each seed is one test: --gtest_filter=*/SEED.
#include <gtest/gtest.h>

#include "base/random.h"
#include "tcp/test_path.h"

namespace braid::tcp {
namespace {

constexpr uint32_t kMss = 1000;

class RandomNetwork : public testing::TestWithParam<uint64_t> {
 protected:
  bool chance(double probability) { return random_.unit() < probability; }
  Duration up_to(Duration limit) {
    return Duration(static_cast<int64_t>(random_.below(static_cast<uint64_t>(limit.count()) + 1)));
  }

  SeededRandom random_{GetParam() + 1};
};

// Each seed leaves some faults out and exaggerates others, then heals the path and demands that all arrives.
TEST_P(RandomNetwork, DeliversEverythingOnceItHeals) {
  TestPath::Options options;
  options.recovery.mss_bytes = kMss;
  options.recovery.is_sack_enabled = chance(0.75);
  options.recovery.rto_backoff_max = chance(0.5) ? 1s : 120s;
  options.algorithm = chance(0.5) ? "cubic" : "reno";
  options.super_segment_bytes = chance(0.5) ? 44 * kMss : chance(0.5) ? 3 * kMss : kMss;
  options.delay = 1ms + up_to(100ms);
  options.has_timestamps = chance(0.5);
  options.has_dsack = chance(0.7);
  options.ack_every = chance(0.5) ? 1 : 2;
  if (chance(0.3)) options.handshake_rtt.reset();
  if (chance(0.4)) {
    options.rate_bytes_per_second = 2e5 + random_.unit() * 5e6;
    options.queue_bytes = 5'000 + random_.below(200'000);
  }
  TestPath path(options);
  const Time heals = path.now + 20s;
  const double loss = chance(0.7) ? random_.unit() * (chance(0.2) ? 0.5 : 0.05) : 0;
  const double ack_loss = chance(0.5) ? random_.unit() * 0.5 : 0;
  const double late = chance(0.5) ? random_.unit() * 0.2 : 0;
  const Duration lateness = up_to(chance(0.2) ? Duration(2s) : Duration(50ms));
  const Duration outage = chance(0.3) ? up_to(3s) : Duration(0);
  const bool has_small_writes = chance(0.5);
  const auto is_out = [&] { return path.now > Time(3s) && path.now < Time(3s) + outage; };
  path.drop = [&](const TestPacket&) { return path.now < heals && (is_out() || chance(loss)); };
  path.drop_ack = [&](const AckInput&) { return path.now < heals && (is_out() || chance(ack_loss)); };
  path.extra_delay = [&](const TestPacket&) {
    return path.now < heals && chance(late) ? up_to(lateness) : Duration(0);
  };

  uint64_t written = 0;
  for (int i = 0; i < 60 && path.now < heals; ++i) {
    const uint64_t bytes = 1 + random_.below(has_small_writes ? 2000 : 100'000);
    written += bytes;
    path.write(bytes);
    path.run_for(up_to(chance(0.1) ? Duration(2s) : Duration(200ms)));
    if (chance(0.02)) path.recovery.set_rto_backoff_max(200ms + up_to(5s));
  }
  ASSERT_TRUE(path.run(700s)) << "una " << path.recovery.snd_una().value() << " of " << written;
  EXPECT_EQ(path.delivered_bytes(), written);
  EXPECT_EQ(path.recovery.in_flight_bytes(), 0u);
  EXPECT_EQ(path.recovery.next_deadline(), kNever);
  // Healed, a transfer runs without a timeout.
  path.run_for(25s);
  const uint64_t timeouts = path.recovery.totals().timeouts;
  if (options.rate_bytes_per_second > 0) return;
  path.write(100 * kMss);
  ASSERT_TRUE(path.run(60s));
  EXPECT_EQ(path.recovery.totals().timeouts, timeouts);
}

// A receiver that says whatever comes to its mind can slow itself down, and nothing else.
TEST_P(RandomNetwork, SurvivesAHostileReceiver) {
  RecoveryConfig config;
  config.mss_bytes = kMss;
  config.is_sack_enabled = chance(0.8);
  LossRecovery recovery(config, make_congestion_control(chance(0.5) ? "cubic" : "reno", kMss));
  Time now{1s};
  const auto position = [&] {
    const StreamOffset una = recovery.snd_una(), max = recovery.snd_max();
    switch (random_.below(8)) {
      case 0:
        return StreamOffset(random_.next64());
      case 1:
        return una;
      case 2:
        return max;
      case 3:
        return una - std::min<uint64_t>(una.value(), random_.below(5000));
      default:
        return una + random_.below((max - una) + 2);
    }
  };
  for (int i = 0; i < 4000; ++i) {
    now += up_to(chance(0.05) ? Duration(1s) : Duration(2ms));
    for (int turns = 0; recovery.allowance_bytes() > 0; ++turns) {
      ASSERT_LT(turns, 100'000);
      const uint64_t room = std::min<uint64_t>(recovery.allowance_bytes(), 1 + random_.below(60'000));
      if (const auto range = recovery.poll_retransmission(room)) {
        ASSERT_GE(range->begin, recovery.snd_una());
        ASSERT_LE(range->end, recovery.snd_max());
        ASSERT_LE(range->size(), room);
        recovery.on_retransmitted(*range, now);
      } else if (chance(0.9)) {
        recovery.on_sent(room, now);
      } else {
        recovery.on_application_limited();
        break;
      }
    }
    for (int turns = 0; now >= recovery.next_deadline(); ++turns) {
      ASSERT_LT(turns, 1000);
      if (recovery.on_deadline(now) != TimeoutAction::kTailProbe) continue;
      if (const auto range = recovery.poll_tail_probe(); range && chance(0.8))
        recovery.on_retransmitted(*range, now);
    }
    AckInput input;
    input.now = now;
    input.ack = chance(0.8) ? recovery.snd_una() : position();
    for (uint64_t blocks = random_.below(5); blocks > 0; --blocks)
      input.sack.push_back({position(), position()});
    if (chance(0.5)) input.timestamp_rtt = up_to(chance(0.1) ? Duration(3h) : Duration(1s));
    input.is_window_update = chance(0.1);
    input.has_payload = chance(0.1);
    input.is_ecn_echo = chance(0.01);
    recovery.on_ack(input);
    if (chance(0.01)) recovery.set_mss(100 + static_cast<uint32_t>(random_.below(2000)));
    if (chance(0.005)) recovery.on_path_mtu_reduced(100 + static_cast<uint32_t>(random_.below(1500)));
    ASSERT_LE(recovery.in_flight_bytes(), recovery.snd_max() - recovery.snd_una());
    ASSERT_GT(recovery.cwnd_bytes(), 0u);
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, RandomNetwork, testing::Range<uint64_t>(0, 100));

}  // namespace
}  // namespace braid::tcp
