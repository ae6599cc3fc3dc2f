#include "tcp/loss_recovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tcp/test_path.h"

namespace braid::tcp {
namespace {

using testing::Contains;
using testing::Not;

constexpr uint32_t kMss = 1000;

TestPath::Options small_segments() {
  TestPath::Options options;
  options.recovery.mss_bytes = kMss;
  options.super_segment_bytes = kMss;
  return options;
}
TestPath::Options super_segments() {
  TestPath::Options options = small_segments();
  options.super_segment_bytes = 44 * kMss;
  return options;
}

/// Position of segment `i`, counted from 0.
StreamOffset segment(uint64_t i) { return StreamOffset(1 + i * kMss); }
bool is_first(const TestPacket& packet, uint64_t i) {
  return packet.begin == segment(i) && packet.attempt == 0;
}

TEST(LossRecovery, SendsTheInitialWindowAndDoublesIt) {
  TestPath path(super_segments());
  path.write(1'000'000);
  EXPECT_EQ(path.recovery.in_flight_bytes(), 10 * kMss);
  path.run_for(101ms);
  EXPECT_EQ(path.recovery.in_flight_bytes(), 20 * kMss);
  EXPECT_TRUE(path.run());
  EXPECT_EQ(path.retransmitted_bytes(), 0u);
  EXPECT_EQ(path.recovery.next_deadline(), kNever);
  EXPECT_EQ(path.recovery.stalled_since(), kNever);
}

class LostHead : public testing::TestWithParam<bool> {};

TEST_P(LostHead, IsSentAgainOnceAfterOneRoundTrip) {
  TestPath::Options options = GetParam() ? super_segments() : small_segments();
  TestPath path(options);
  path.drop = [](const TestPacket& p) { return is_first(p, 0); };
  path.write(10 * kMss);
  ASSERT_TRUE(path.run());
  const auto again = path.retransmissions();
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].range, (ByteRange{segment(0), segment(1)}));
  EXPECT_EQ(again[0].at - Time(1s), 100ms);
  EXPECT_THAT(path.actions, Not(Contains(TimeoutAction::kRto)));
  EXPECT_EQ(path.recovery.totals().recoveries, 1u);
  EXPECT_EQ(path.recovery.cwnd_bytes(), 5 * kMss);
}
INSTANTIATE_TEST_SUITE_P(SegmentSizes, LostHead, testing::Bool());

TEST(LossRecovery, SackInsideASuperSegmentRepeatsOnlyTheHoles) {
  TestPath path(super_segments());
  path.write(200 * kMss);
  path.run_for(250ms);
  const uint64_t next = path.recovery.snd_max().value();
  path.drop = [&](const TestPacket& p) {
    const uint64_t i = (p.begin.value() - 1) / kMss;
    return p.begin.value() >= next && p.attempt == 0 && (i == 75 || i == 77 || i == 78);
  };
  ASSERT_TRUE(path.run());
  EXPECT_EQ(path.retransmitted_bytes(), 3u * kMss);
  EXPECT_EQ(path.recovery.totals().timeouts, 0u);
}

TEST(LossRecovery, LostTailIsFoundByAProbe) {
  TestPath path(small_segments());
  path.drop = [](const TestPacket& p) { return p.attempt == 0 && p.begin >= segment(7); };
  path.write(10 * kMss);
  ASSERT_TRUE(path.run());
  EXPECT_THAT(path.actions, Contains(TimeoutAction::kTailProbe));
  EXPECT_THAT(path.actions, Not(Contains(TimeoutAction::kRto)));
  EXPECT_EQ(path.recovery.totals().tail_probes, 1u);
  EXPECT_EQ(path.retransmitted_bytes(), 3u * kMss);
  // 100 ms for the last ACK, 2 SRTT of silence, a round trip each for the probe and for the two
  // others (PRR sends no more than was delivered).
  EXPECT_LT(path.now, Time(1s + 620ms));
}

TEST(LossRecovery, ProbeThatRepairsTheOnlyLossStillHalvesTheWindow) {
  TestPath path(small_segments());
  path.drop = [](const TestPacket& p) { return is_first(p, 9); };
  path.write(10 * kMss);
  ASSERT_TRUE(path.run());
  const uint64_t before = path.recovery.cwnd_bytes();
  EXPECT_EQ(before, 20u * kMss);  // the ACK of the probe can't tell yet
  path.write(2 * kMss);
  ASSERT_TRUE(path.run());
  EXPECT_LT(path.recovery.cwnd_bytes(), before);
  EXPECT_EQ(path.recovery.totals().timeouts, 0u);
}

TEST(LossRecovery, NeedlessProbeCostsNothing) {
  TestPath path(small_segments());
  path.extra_delay = [](const TestPacket& p) {
    return is_first(p, 8) || is_first(p, 9) ? Duration(300ms) : Duration(0);
  };
  path.write(10 * kMss);
  ASSERT_TRUE(path.run());
  path.run_for(100ms);
  const uint64_t before = path.recovery.cwnd_bytes();
  path.write(2 * kMss);
  ASSERT_TRUE(path.run());
  EXPECT_EQ(path.recovery.totals().tail_probes, 1u);
  EXPECT_GE(path.recovery.cwnd_bytes(), before);
}

TEST(LossRecovery, LostRetransmissionIsFoundWithoutATimeout) {
  TestPath path(small_segments());
  path.drop = [](const TestPacket& p) { return p.begin == segment(0) && p.attempt < 2; };
  path.write(100 * kMss);
  ASSERT_TRUE(path.run());
  EXPECT_EQ(path.recovery.totals().timeouts, 0u);
  EXPECT_EQ(path.retransmitted_bytes(), 2u * kMss);
}

TEST(LossRecovery, ReorderingStopsCausingRetransmissionsOnceItIsKnown) {
  TestPath::Options options = small_segments();
  options.recovery.rto.min = 1s;
  TestPath path(options);
  // Every 20th segment is overtaken, by more than the smallest window of min_rtt / 4.
  path.extra_delay = [](const TestPacket& p) { return p.index % 20 == 7 ? Duration(40ms) : Duration(0); };
  path.write(4000 * kMss);
  path.run_for(10s);
  const uint64_t early = path.recovery.totals().retransmissions;
  EXPECT_GT(path.recovery.totals().reordering_seen, 0u);
  ASSERT_TRUE(path.run());
  EXPECT_LE(path.recovery.totals().retransmissions - early, early / 4);
  EXPECT_EQ(path.recovery.totals().timeouts, 0u);
}

TEST(LossRecovery, SlightReorderingNeverCausesARetransmissionOnceSeen) {
  TestPath path(small_segments());
  path.extra_delay = [](const TestPacket& p) { return p.index % 5 == 0 ? Duration(20ms) : Duration(0); };
  path.write(3 * kMss);  // too few SACKs for DupThresh: it is seen as reordering
  ASSERT_TRUE(path.run());
  path.write(500 * kMss);
  ASSERT_TRUE(path.run());
  EXPECT_EQ(path.retransmitted_bytes(), 0u);
  EXPECT_EQ(path.recovery.totals().recoveries, 0u);
}

TEST(LossRecovery, LossAmongReorderingIsFoundByTheTimer) {
  TestPath path(small_segments());
  path.extra_delay = [](const TestPacket& p) { return is_first(p, 1) ? Duration(20ms) : Duration(0); };
  path.write(3 * kMss);
  ASSERT_TRUE(path.run());
  path.drop = [](const TestPacket& p) { return is_first(p, 3); };
  path.write(3 * kMss);
  ASSERT_TRUE(path.run());
  EXPECT_THAT(path.actions, Contains(TimeoutAction::kReorder));
  EXPECT_EQ(path.recovery.totals().timeouts, 0u);
  EXPECT_EQ(path.retransmitted_bytes(), 1u * kMss);
}

TEST(LossRecovery, WholeWindowLostIsRepairedAfterATimeout) {
  for (const bool has_sack : {true, false}) {
    TestPath::Options options = super_segments();
    options.recovery.is_sack_enabled = has_sack;
    TestPath path(options);
    const Time start = path.now;
    path.drop = [&](const TestPacket&) { return path.now < start + 20ms; };
    path.write(30 * kMss);
    ASSERT_TRUE(path.run());
    EXPECT_EQ(path.recovery.totals().timeouts, has_sack ? 0u : 1u);  // the probe's SACK tells of the rest
    EXPECT_EQ(path.recovery.consecutive_timeouts(), 0u);
    EXPECT_LE(path.retransmitted_bytes(), 11u * kMss);
  }
}

TEST(LossRecovery, BacksOffWhileThePathIsDeadAndNotBeyondTheCap) {
  TestPath::Options options = small_segments();
  options.recovery.rto_backoff_max = 1s;
  TestPath path(options);
  path.drop = [](const TestPacket&) { return true; };
  path.write(5 * kMss);
  const Time began = path.now;
  path.run_for(10s);
  EXPECT_EQ(path.recovery.stalled_since(), began);
  EXPECT_GE(path.recovery.consecutive_timeouts(), 8u);
  EXPECT_LE(path.recovery.consecutive_timeouts(), 12u);
  EXPECT_EQ(path.recovery.current_rto(), 1s);
  const auto last = path.sent.size();
  path.run_for(3s);
  EXPECT_EQ(path.sent.size() - last, 3u);  // one segment each
}

TEST(LossRecovery, LoweredCapMovesTheDeadlineAtOnce) {
  TestPath path(small_segments());
  path.drop = [](const TestPacket&) { return true; };
  path.write(5 * kMss);
  path.run_for(30s);
  ASSERT_GT(path.recovery.next_deadline() - path.now, 5s);
  path.recovery.set_rto_backoff_max(1s);
  EXPECT_LE(path.recovery.next_deadline() - path.now, 1s);
  path.recovery.set_rto_backoff_max(120s);
  EXPECT_GT(path.recovery.next_deadline() - path.now, 5s);
}

TEST(LossRecovery, CapNeverCutsTheTimeoutThatTheRttAsksFor) {
  TestPath::Options options = small_segments();
  options.handshake_rtt = 3s;
  options.recovery.rto_backoff_max = 1s;
  TestPath path(options);
  EXPECT_GE(path.recovery.current_rto(), 3s);
}

class SpuriousTimeout : public testing::TestWithParam<bool> {};

TEST_P(SpuriousTimeout, IsUndone) {
  TestPath::Options options = small_segments();
  options.has_timestamps = GetParam();
  options.has_dsack = false;
  TestPath path(options);
  path.write(2000 * kMss);
  path.run_for(350ms);
  const uint64_t before = path.recovery.cwnd_bytes();
  // The path holds everything back for a second, then delivers it all in order.
  const Time stalls = path.now, resumes = path.now + 1s;
  path.extra_delay = [=, &path](const TestPacket&) {
    return path.now < stalls + 950ms ? resumes - path.now : Duration(0);
  };
  path.run_for(1200ms);
  EXPECT_GE(path.recovery.totals().timeouts, 1u);
  EXPECT_EQ(path.recovery.totals().spurious, 1u);
  EXPECT_GE(path.recovery.cwnd_bytes(), before);
  ASSERT_TRUE(path.run());
  EXPECT_LE(path.retransmitted_bytes(), 4u * kMss);
}
INSTANTIATE_TEST_SUITE_P(Timestamps, SpuriousTimeout, testing::Bool());

TEST(LossRecovery, GenuineTimeoutIsNotUndone) {
  for (const bool has_timestamps : {true, false}) {
    TestPath::Options options = small_segments();
    options.has_timestamps = has_timestamps;
    TestPath path(options);
    path.write(300 * kMss);
    path.run_for(350ms);
    const Time breaks = path.now, returns = path.now + 700ms;
    path.drop = [=, &path](const TestPacket&) { return path.now >= breaks && path.now < returns; };
    ASSERT_TRUE(path.run());
    EXPECT_GE(path.recovery.totals().timeouts, 1u);
    EXPECT_EQ(path.recovery.totals().spurious, 0u);
  }
}

TEST(LossRecovery, NeedlessFastRecoveryIsUndoneByDsack) {
  TestPath path(small_segments());
  path.extra_delay = [](const TestPacket& p) { return is_first(p, 0) ? Duration(30ms) : Duration(0); };
  path.write(10 * kMss);
  ASSERT_TRUE(path.run());
  path.run_for(300ms);
  EXPECT_EQ(path.recovery.totals().recoveries, 1u);
  path.write(kMss);
  ASSERT_TRUE(path.run());
  EXPECT_GE(path.recovery.totals().dsacks, 1u);
  EXPECT_GE(path.recovery.cwnd_bytes(), 10u * kMss);
}

TEST(LossRecovery, PrrSpreadsTheReductionOverTheRoundTrip) {
  TestPath::Options options = small_segments();
  options.rate_bytes_per_second = 800e3;
  TestPath path(options);
  path.write(10'000 * kMss);
  path.run_for(350ms);
  const StreamOffset next = path.recovery.snd_max();
  path.drop = [=](const TestPacket& p) { return p.begin == next && p.attempt == 0; };
  while (!path.recovery.in_recovery()) path.run_for(1ms);
  const uint64_t flight = path.recovery.in_flight_bytes();
  const uint64_t ssthresh = path.recovery.congestion_control().ssthresh_bytes();
  const size_t begin = path.sent.size();
  path.run_for(50ms);
  const size_t middle = path.sent.size();
  path.run_for(45ms);
  ASSERT_TRUE(path.recovery.in_recovery());
  // 80 segments a round trip are delivered, and half as many sent, in its first half as in its second.
  EXPECT_NEAR(static_cast<double>(middle - begin), 20, 4);
  EXPECT_NEAR(static_cast<double>(path.sent.size() - middle), 18, 4);
  EXPECT_LT(path.recovery.in_flight_bytes(), flight - 30 * kMss);
  while (path.recovery.in_recovery()) path.run_for(1ms);
  EXPECT_NEAR(static_cast<double>(path.recovery.in_flight_bytes()), static_cast<double>(ssthresh),
              3.0 * kMss);
}

TEST(LossRecovery, PrrSendsNoMoreThanWasDeliveredWhenMostOfTheWindowIsLost) {
  TestPath path(small_segments());
  path.write(10'000 * kMss);
  path.run_for(250ms);
  const StreamOffset next = path.recovery.snd_max();
  path.drop = [=](const TestPacket& p) {
    return p.attempt == 0 && p.begin >= next && p.begin < next + 70 * kMss;
  };
  path.run_for(150ms);
  const uint64_t outstanding_peak = path.max_in_flight;
  path.run_for(1s);
  EXPECT_LE(path.max_in_flight, outstanding_peak);
  EXPECT_EQ(path.recovery.totals().timeouts, 0u);
  ASSERT_TRUE(path.run());
  EXPECT_EQ(path.retransmitted_bytes(), 70u * kMss);
}

TEST(LossRecovery, RenegingReceiverGetsEverythingAgain) {
  TestPath path(small_segments());
  path.drop = [](const TestPacket& p) { return is_first(p, 0); };
  // The receiver threw away what it had SACKed: the ACK of the hole stops at the hole's end.
  bool has_reneged = false;
  path.edit_ack = [&](AckInput& ack) {
    if (ack.ack == segment(10) && !has_reneged) {
      ack.ack = segment(1);
      ack.sack.clear();
      has_reneged = true;
    }
  };
  path.write(10 * kMss);
  ASSERT_TRUE(path.run());
  EXPECT_EQ(path.recovery.totals().sack_reneges, 1u);
}

TEST(LossRecovery, WithoutSackThreeDuplicateAcksRetransmitAndPartialAcksGoOn) {
  TestPath::Options options = small_segments();
  options.recovery.is_sack_enabled = false;
  options.recovery.rto.min = 1s;
  TestPath path(options);
  path.drop = [](const TestPacket& p) { return is_first(p, 2) || is_first(p, 5) || is_first(p, 12); };
  path.write(40 * kMss);
  ASSERT_TRUE(path.run());
  EXPECT_EQ(path.retransmitted_bytes(), 3u * kMss);
  EXPECT_EQ(path.recovery.totals().recoveries, 1u);
  EXPECT_EQ(path.recovery.totals().timeouts, 0u);
}

TEST(LossRecovery, WindowUpdatesAreNotDuplicateAcks) {
  TestPath::Options options = small_segments();
  options.recovery.is_sack_enabled = false;
  TestPath path(options);
  path.write(10 * kMss);
  for (int i = 0; i < 10; ++i) {
    AckInput input;
    input.now = path.now;
    input.ack = StreamOffset(1);
    input.is_window_update = true;
    path.recovery.on_ack(input);
  }
  EXPECT_FALSE(path.recovery.in_recovery());
  EXPECT_EQ(path.recovery.in_flight_bytes(), 10u * kMss);
}

TEST(LossRecovery, EcnEchoReducesOncePerWindow) {
  TestPath path(small_segments());
  path.write(1000 * kMss);
  path.run_for(150ms);
  const uint64_t before = path.recovery.cwnd_bytes();
  path.edit_ack = [](AckInput& ack) { ack.is_ecn_echo = true; };
  path.run_for(99ms);
  EXPECT_EQ(path.recovery.cwnd_bytes(), before / 2);
  EXPECT_EQ(path.retransmitted_bytes(), 0u);
}

TEST(LossRecovery, WindowNotUsedDoesNotGrow) {
  TestPath path(small_segments());
  for (int i = 0; i < 100; ++i) {
    path.write(2 * kMss);
    ASSERT_TRUE(path.run());
  }
  EXPECT_EQ(path.recovery.cwnd_bytes(), 10u * kMss);
}

TEST(LossRecovery, IdleTimeRestartsWithTheInitialWindow) {
  TestPath path(super_segments());
  path.write(500 * kMss);
  ASSERT_TRUE(path.run());
  ASSERT_GT(path.recovery.cwnd_bytes(), 100u * kMss);
  path.now += 10s;
  path.write(500 * kMss);
  EXPECT_EQ(path.recovery.in_flight_bytes(), 10u * kMss);
  ASSERT_TRUE(path.run());
}

TEST(LossRecovery, SegmentsTooLargeForThePathGoAgainAtOnceWithTheWindowAsItWas) {
  TestPath path(super_segments());
  path.write(10 * kMss);
  path.run_for(10ms);
  path.recovery.on_path_mtu_reduced(500);
  EXPECT_EQ(path.recovery.in_flight_bytes(), 0u);
  EXPECT_EQ(path.recovery.cwnd_bytes(), 10u * kMss);
  EXPECT_EQ(path.recovery.poll_retransmission(10 * kMss), (ByteRange{segment(0), segment(10)}));
}

TEST(LossRecovery, NonsenseInAcksIsIgnored) {
  TestPath path(small_segments());
  path.write(10 * kMss);
  path.run_for(120ms);
  const uint64_t in_flight = path.recovery.in_flight_bytes();
  const StreamOffset una = path.recovery.snd_una(), max = path.recovery.snd_max();
  const auto with_block = [&](StreamOffset begin, StreamOffset end) {
    AckInput input;
    input.now = path.now;
    input.ack = una;
    input.sack.push_back({begin, end});
    path.recovery.on_ack(input);
  };
  with_block(max, max + 1000);
  with_block(una + 1, max + 1);
  with_block(una, max);
  with_block(max, una + 1);
  with_block(StreamOffset(0), StreamOffset(UINT64_MAX));
  with_block(StreamOffset(UINT64_MAX), StreamOffset(5));
  AckInput beyond;
  beyond.now = path.now;
  beyond.ack = max + 1;
  path.recovery.on_ack(beyond);
  EXPECT_EQ(path.recovery.in_flight_bytes(), in_flight);
  EXPECT_EQ(path.recovery.snd_una(), una);
}

TEST(LossRecovery, CopesWithDeepLossOnAFullQueue) {
  TestPath::Options options = super_segments();
  options.algorithm = "cubic";
  options.rate_bytes_per_second = 1.25e6;
  options.queue_bytes = 60'000;
  options.delay = 10ms;
  options.handshake_rtt = 20ms;
  TestPath path(options);
  path.write(12'500'000);
  const Time start = path.now;
  ASSERT_TRUE(path.run());
  EXPECT_LT(path.now - start, 11500ms);  // 10 s at the full rate
  EXPECT_EQ(path.recovery.totals().timeouts, 0u);
}

}  // namespace
}  // namespace braid::tcp
