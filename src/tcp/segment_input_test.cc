// The checks on what comes in: RFC 9293, 3.10.7.4, RFC 5961, RFC 7323 (PAWS).
#include "tcp/testing/subflow_fixture.h"

namespace braid::tcp::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class SegmentInputTest : public SubflowFixture {
 protected:
  SegmentInputTest() {
    upper.capacity = 10'000;
    establish_quietly();  // rcv_nxt is 161, the right edge 10161
  }
};

TEST_F(SegmentInputTest, ResetAtRcvNxtCloses) {
  int shown = 0;
  upper.verdict_hook = [&](const wire::TcpSegment& s) {
    shown += s.flags.rst ? 1 : 0;
    return SegmentVerdict::kDrop;
  };
  receive({.flags = "R", .seq = 161});
  EXPECT_EQ(state(), State::kClosed);
  EXPECT_EQ(upper.closed, CloseReason::kPeerReset);
  EXPECT_EQ(shown, 1) << "its options matter to the upper";
  EXPECT_THAT(sent(), IsEmpty());
  EXPECT_EQ(subflow->next_deadline(), kNever);
}

TEST_F(SegmentInputTest, ResetElsewhereInTheWindowIsChallenged) {
  receive({.flags = "R", .seq = 162});
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 161"));
  receive({.flags = "R", .seq = 10'160});
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 161"));
  EXPECT_EQ(state(), State::kEstablished);
  EXPECT_EQ(subflow->totals().bad_resets, 2u);
  EXPECT_EQ(subflow->totals().challenge_acks, 2u);
}

TEST_F(SegmentInputTest, ResetOutsideOfTheWindowIsIgnored) {
  for (const uint64_t seq : {0, 160, 10'162, 1'000'000}) {
    receive({.flags = "R", .seq = seq});
    EXPECT_THAT(sent(), IsEmpty()) << seq;
  }
  EXPECT_EQ(state(), State::kEstablished);
}

TEST_F(SegmentInputTest, SynIsChallenged) {
  for (const uint64_t seq : {0, 161, 200, 1'000'000}) {
    receive({.flags = "S", .seq = seq});
    EXPECT_THAT(sent(), ElementsAre(". 1 ack 161")) << seq;
  }
  EXPECT_EQ(state(), State::kEstablished);
}

TEST_F(SegmentInputTest, ChallengesAreRateLimited) {
  config.challenge_acks_per_second = 3;
  peer_seq = 0;
  make();
  establish();
  size_t answers = 0;
  for (int i = 0; i < 10; ++i) {
    receive({.flags = "S", .seq = 1});
    answers += sent().size();
  }
  EXPECT_EQ(answers, 3u);
  now += 1s;
  receive({.flags = "S", .seq = 1});
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 1"));
}

TEST_F(SegmentInputTest, SegmentWithoutAckIsDropped) {
  receive({.flags = "", .seq = 161, .bytes = 10});
  EXPECT_EQ(upper.received, 160u);
  EXPECT_THAT(sent(), IsEmpty());
}

TEST_F(SegmentInputTest, AckOfWhatWasNotSentIsChallengedAndItsTextDropped) {
  receive({.seq = 161, .ack = 2, .bytes = 10});
  EXPECT_EQ(upper.received, 160u);
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 161"));
}

TEST_F(SegmentInputTest, OldAckIsTakenOnlyWithinTheLargestWindow) {
  receive({.seq = 161, .ack = 1, .window = 2000});
  upper.pending = 1'000'000;
  for (int i = 0; i < 60; ++i) {
    sent();
    receive({.window = 2000});
  }
  const uint64_t una = subflow->snd_una().value();
  ASSERT_GT(una, 70'000u);
  sent();
  // 65535 was the window of the handshake.
  receive({.seq = 161, .ack = una - 65'535, .bytes = 10});
  EXPECT_EQ(upper.received, 170u) << "old ACK, good text";
  sent();
  receive({.seq = 171, .ack = una - 65'536, .bytes = 10});
  EXPECT_EQ(upper.received, 170u);
  EXPECT_EQ(sent().size(), 1u) << "challenged";
}

TEST_F(SegmentInputTest, UnacceptableSegmentIsAnsweredByAnAck) {
  receive({.seq = 10'161, .bytes = 10});
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 161"));
  receive({.seq = 100, .bytes = 61});
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 161 <sack 100:161>")) << "D-SACK";
  receive({.seq = 160});
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 161")) << "a keepalive probe";
  EXPECT_EQ(upper.received, 160u);
}

TEST_F(SegmentInputTest, AcksOnTheRightEdgeAreTaken) {
  upper.pending = 100;
  EXPECT_THAT(sent(), ElementsAre("P. 1:101 ack 161"));
  receive({.seq = 10'161, .ack = 101});
  EXPECT_EQ(subflow->snd_una(), StreamOffset(101));
  EXPECT_THAT(sent(), IsEmpty());
}

TEST_F(SegmentInputTest, SegmentOnAShutWindowIsTakenForItsAckOnly) {
  upper.reads_at_once = false;
  receive({.bytes = 9000});
  receive({.bytes = 1000});
  sent();
  ASSERT_EQ(raw.at(0).window, 0);
  upper.pending = 100;
  sent();
  receive({.seq = 10'161, .ack = 101, .bytes = 1});
  EXPECT_EQ(subflow->snd_una(), StreamOffset(101));
  EXPECT_EQ(upper.received, 10'160u);
  EXPECT_THAT(sent(), ElementsAre(". 101 ack 10161"));
}

TEST_F(SegmentInputTest, UpperMayDropOrReset) {
  upper.verdict_hook = [](const wire::TcpSegment&) { return SegmentVerdict::kDrop; };
  receive({.seq = 161, .bytes = 10});
  EXPECT_EQ(upper.received, 160u);
  EXPECT_THAT(sent(), IsEmpty());
  upper.verdict_hook = [](const wire::TcpSegment&) { return SegmentVerdict::kReset; };
  receive({.seq = 161, .bytes = 10});
  EXPECT_EQ(upper.closed, CloseReason::kAborted);
  EXPECT_THAT(sent(), ElementsAre("R. 1 ack 161"));
}

TEST_F(SegmentInputTest, UpperMayAbortFromWithinACall) {
  upper.on_data_hook = [this](Subflow& s) { s.abort(now); };
  receive({.flags = "F.", .bytes = 10});
  EXPECT_EQ(upper.closed, CloseReason::kAborted);
  EXPECT_EQ(upper.fins, 0);
  EXPECT_THAT(sent(), ElementsAre("R. 1 ack 171"));
  EXPECT_THAT(sent(), IsEmpty());
}

TEST_F(SegmentInputTest, AfterCloseNothingIsAnswered) {
  subflow->drop(CloseReason::kTimedOut, now);
  EXPECT_EQ(upper.closed, CloseReason::kTimedOut);
  receive({.bytes = 10});
  EXPECT_THAT(sent(), IsEmpty());
}

// Every state, a RST: exactly at rcv_nxt it closes, anywhere else in the window it is challenged.
TEST_F(SegmentInputTest, ResetInEveryStateAfterTheHandshake) {
  const auto close_wait = [this] { receive({.flags = "F."}); };
  const auto fin_wait_1 = [this] { subflow->close(now), sent(); };
  const std::vector<std::pair<State, std::function<void()>>> ways = {
      {State::kEstablished, [] {}},
      {State::kCloseWait, close_wait},
      {State::kLastAck, [&] { close_wait(), fin_wait_1(); }},
      {State::kFinWait1, fin_wait_1},
      {State::kFinWait2, [&] { fin_wait_1(), receive({}); }},
      {State::kClosing, [&] { fin_wait_1(), receive({.flags = "F.", .ack = 1}); }},
      {State::kTimeWait, [&] { fin_wait_1(), receive({.flags = "F."}); }},
  };
  for (const auto& [wanted, reach] : ways) {
    SCOPED_TRACE(to_string(wanted));
    peer_seq = 0;
    make();
    establish();
    reach();
    ASSERT_EQ(state(), wanted);
    sent();
    receive({.flags = "R", .seq = peer_seq + 1});
    EXPECT_EQ(sent().size(), 1u);
    EXPECT_EQ(state(), wanted);
    receive({.flags = "R", .seq = peer_seq});
    EXPECT_EQ(state(), State::kClosed);
    EXPECT_EQ(upper.closed, wanted == State::kTimeWait ? CloseReason::kFinished : CloseReason::kPeerReset);
    EXPECT_THAT(sent(), IsEmpty());
  }
}

class PawsTest : public SubflowFixture {
 protected:
  PawsTest() {
    config.use_timestamps = true;
    make();
    establish({.ts = wire::Timestamps{1000, 1}});
  }
  wire::Timestamps ts(uint32_t value) { return {value, 1}; }
};

TEST_F(PawsTest, OldTimestampIsDroppedAndAcknowledged) {
  receive({.bytes = 10, .ts = ts(1005)});
  sent();
  receive({.seq = 11, .bytes = 10, .ts = ts(1004)});
  EXPECT_EQ(upper.received, 10u);
  EXPECT_EQ(subflow->totals().paws_dropped, 1u);
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 11"));
  EXPECT_EQ(raw[0].options.timestamps->echo, 1005u);
  receive({.seq = 11, .bytes = 10, .ts = ts(1005)});
  EXPECT_EQ(upper.received, 20u);
}

TEST_F(PawsTest, OldTimestampDoesNotProtectFromReset) {
  receive({.flags = "R", .seq = 1, .ts = ts(5)});
  EXPECT_EQ(state(), State::kClosed);
}

TEST_F(PawsTest, TimestampsWrap) {
  peer_seq = 0;
  make();
  establish({.ts = ts(0xfffffffe)});
  receive({.bytes = 10, .ts = ts(2)});
  EXPECT_EQ(upper.received, 10u);
  receive({.seq = 11, .bytes = 10, .ts = ts(0xffffffff)});
  EXPECT_EQ(upper.received, 10u);
}

TEST_F(PawsTest, AfterTwentyFourDaysOfSilenceTheOldTimestampIsForgotten) {
  now += 25 * 24h;
  receive({.bytes = 10, .ts = ts(3)});
  EXPECT_EQ(upper.received, 10u);
  sent();
  EXPECT_EQ(raw.at(0).options.timestamps->echo, 3u);
}

TEST_F(PawsTest, SegmentWithoutTimestampIsTaken) {
  receive({.bytes = 10});
  EXPECT_EQ(upper.received, 10u);
}

TEST_F(PawsTest, EchoIsOfTheSegmentThatTheAckWasFor) {
  receive({.bytes = 10, .ts = ts(1001)});
  sent();
  // Beyond a hole: what is echoed stays the time of the last segment in order.
  receive({.seq = 21, .bytes = 10, .ts = ts(1009)});
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 11"));
  EXPECT_EQ(raw[0].options.timestamps->echo, 1001u);
  receive({.seq = 11, .bytes = 10, .ts = ts(1012)});
  sent();
  EXPECT_EQ(raw[0].options.timestamps->echo, 1012u);
}

TEST_F(PawsTest, OurTimestampsGoByMillisecondsFromTheOffset) {
  subflow->request_ack();
  sent();
  const uint32_t first = raw[0].options.timestamps->value;
  now += 250ms;
  subflow->request_ack();
  sent();
  EXPECT_EQ(raw[0].options.timestamps->value - first, 250u);
  EXPECT_EQ(first, kTimestampOffset + 1'000'010u);
}

TEST(ResetForTest, Answers) {
  wire::TcpSegment segment;
  segment.tuple = test_tuple();
  segment.seq = Seq32(100);
  segment.ack = Seq32(7);
  segment.flags = parse_flags("S");
  auto reset = reset_for(segment);
  ASSERT_TRUE(reset);
  EXPECT_EQ(render(*reset, Seq32(0), Seq32(0)), "R. 0 ack 101");
  EXPECT_EQ(reset->tuple, segment.tuple);
  segment.flags = parse_flags("F.");
  reset = reset_for(segment);
  ASSERT_TRUE(reset);
  EXPECT_EQ(render(*reset, Seq32(0), Seq32(0)), "R 7");
  segment.flags = parse_flags("R.");
  EXPECT_FALSE(reset_for(segment));
}

}  // namespace
}  // namespace braid::tcp::test
