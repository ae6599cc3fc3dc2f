// Closing: every way through the lower half of RFC 9293's figure 5.
#include "tcp/testing/subflow_fixture.h"

namespace braid::tcp::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ClosingTest : public SubflowFixture {
 protected:
  ClosingTest() { establish({.sack_ok = true}); }
};

TEST_F(ClosingTest, WeCloseFirst) {
  subflow->close(now);
  EXPECT_EQ(state(), State::kFinWait1);
  EXPECT_FALSE(subflow->can_send());
  EXPECT_THAT(sent(), ElementsAre("F. 1:2 ack 1"));
  receive({.ack = 2});
  EXPECT_EQ(state(), State::kFinWait2);
  EXPECT_EQ(subflow->next_deadline(), kNever);
  receive({.flags = "F."});
  EXPECT_EQ(state(), State::kTimeWait);
  EXPECT_EQ(upper.closed, CloseReason::kFinished);
  EXPECT_EQ(upper.fins, 1);
  EXPECT_THAT(sent(), ElementsAre(". 2 ack 2"));
  EXPECT_EQ(wait_for_timer(), config.time_wait);
  EXPECT_EQ(state(), State::kClosed);
}

TEST_F(ClosingTest, PeerClosesFirst) {
  receive({.flags = "F."});
  EXPECT_EQ(state(), State::kCloseWait);
  EXPECT_TRUE(subflow->can_send());
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 2"));
  subflow->close(now);
  EXPECT_EQ(state(), State::kLastAck);
  EXPECT_THAT(sent(), ElementsAre("F. 1:2 ack 2"));
  receive({.ack = 2});
  EXPECT_EQ(state(), State::kClosed);
  EXPECT_EQ(upper.closed, CloseReason::kFinished);
}

TEST_F(ClosingTest, BothAtOnce) {
  subflow->close(now);
  sent();
  receive({.flags = "F.", .ack = 1});
  EXPECT_EQ(state(), State::kClosing);
  EXPECT_THAT(sent(), ElementsAre(". 2 ack 2"));
  receive({.ack = 2});
  EXPECT_EQ(state(), State::kTimeWait);
  EXPECT_EQ(upper.closed, CloseReason::kFinished);
}

TEST_F(ClosingTest, FinAndAckOfOursTogether) {
  subflow->close(now);
  sent();
  receive({.flags = "F.", .ack = 2});
  EXPECT_EQ(state(), State::kTimeWait);
  EXPECT_THAT(sent(), ElementsAre(". 2 ack 2"));
}

TEST_F(ClosingTest, HalfClosedWeStillReceive) {
  subflow->close(now);
  sent();
  receive({.ack = 2});
  receive({.bytes = 1000});
  EXPECT_EQ(upper.received, 1000u);
  EXPECT_THAT(sent(), ElementsAre(". 2 ack 1001"));
}

TEST_F(ClosingTest, HalfClosedWeStillSend) {
  receive({.flags = "F."});
  upper.pending = 100;
  EXPECT_THAT(sent(), ElementsAre("P. 1:101 ack 2"));
  receive({.ack = 101});
  EXPECT_EQ(subflow->snd_una(), StreamOffset(101));
}

TEST_F(ClosingTest, FinGoesWithTheLastOfWhatWasGranted) {
  receive({.window = 2000});
  upper.pending = 5000;
  EXPECT_THAT(sent(), ElementsAre(". 1:1461 ack 1"));
  subflow->close(now);
  EXPECT_EQ(state(), State::kFinWait1);
  const uint64_t granted = upper.granted;
  receive({.ack = 1461, .window = 30'000});
  const auto lines = sent();
  EXPECT_EQ(lines.back(), fmt::format("F. 1461:{} ack 1", granted + 2));
  EXPECT_EQ(upper.granted, granted) << "no more after close()";
}

TEST_F(ClosingTest, FinGoesThroughAShutWindow) {
  receive({.window = 0});
  subflow->close(now);
  EXPECT_THAT(sent(), ElementsAre("F. 1:2 ack 1"));
}

TEST_F(ClosingTest, LostFinIsSentAgain) {
  subflow->close(now);
  sent();
  wait_for_timer();
  EXPECT_THAT(sent(), ElementsAre("F. 1:2 ack 1"));
  wait_for_timer();
  EXPECT_THAT(sent(), ElementsAre("F. 1:2 ack 1"));
  receive({.ack = 2});
  EXPECT_EQ(state(), State::kFinWait2);
}

TEST_F(ClosingTest, LostTailIsSentAgainWithItsFin) {
  upper.pending = 100;
  sent();
  subflow->close(now);
  EXPECT_THAT(sent(), ElementsAre("F. 101:102 ack 1"));
  while (upper.timeouts == 0) {
    wait_for_timer();
    sent();
  }
  receive({.ack = 101});
  EXPECT_EQ(state(), State::kFinWait1) << "the FIN is not yet acknowledged";
  EXPECT_EQ(upper.acked, StreamOffset(101));
  receive({.ack = 102});
  EXPECT_EQ(state(), State::kFinWait2);
  EXPECT_EQ(upper.acked, StreamOffset(101)) << "the FIN's octet is not the upper's";
}

TEST_F(ClosingTest, TimeWaitAnswersARepeatedFinAndStartsAnew) {
  subflow->close(now);
  sent();
  receive({.flags = "F.", .ack = 2});
  sent();
  wait(30s);
  receive({.flags = "F.", .seq = 1, .ack = 2});
  EXPECT_THAT(sent(), ElementsAre(". 2 ack 2"));
  EXPECT_EQ(subflow->next_deadline() - now, config.time_wait);
}

TEST_F(ClosingTest, TimeWaitRecordSaysEnoughToAnswer) {
  EXPECT_FALSE(subflow->time_wait(now));
  subflow->close(now);
  sent();
  receive({.flags = "F.", .ack = 2});
  sent();
  const auto record = subflow->time_wait(now);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->tuple, tuple);
  EXPECT_EQ(record->snd_nxt, kOwn + 2);
  EXPECT_EQ(record->rcv_nxt, kPeer + 2);
  EXPECT_EQ(record->until, now + config.time_wait);
  EXPECT_FALSE(record->last_timestamp);
}

TEST_F(ClosingTest, WithoutTimeWaitItIsClosedOnceTheLastAckIsOut) {
  config.time_wait = 0s;
  peer_seq = 0;
  make();
  establish();
  subflow->close(now);
  sent();
  receive({.flags = "F.", .ack = 2});
  EXPECT_EQ(upper.closed, CloseReason::kFinished);
  EXPECT_THAT(sent(), ElementsAre(". 2 ack 2")) << "the peer waits for it";
  EXPECT_EQ(wait_for_timer(), 0s);
  EXPECT_EQ(state(), State::kClosed);
}

TEST_F(ClosingTest, OrphanedFinWait2EndsByItself) {
  subflow->close(now);
  sent();
  receive({.ack = 2});
  subflow->orphan(now);
  EXPECT_EQ(wait_for_timer(), config.fin_wait_2);
  EXPECT_EQ(state(), State::kClosed);
  EXPECT_EQ(upper.closed, CloseReason::kFinished);
}

TEST_F(ClosingTest, OrphanedBeforeFinWait2) {
  subflow->orphan(now);
  subflow->close(now);
  sent();
  receive({.ack = 2});
  EXPECT_EQ(subflow->next_deadline() - now, config.fin_wait_2);
}

TEST_F(ClosingTest, AbortSendsOneResetThatThePeerAccepts) {
  upper.pending = 500;
  sent();
  upper.options_hook = [](const SegmentContext& context, wire::TcpOptions&, size_t space) {
    EXPECT_EQ(context.kind, SegmentKind::kRst);
    EXPECT_EQ(space, 40u);
  };
  subflow->abort(now);
  EXPECT_EQ(upper.closed, CloseReason::kAborted);
  EXPECT_TRUE(subflow->has_reset_to_send());
  EXPECT_THAT(sent(), ElementsAre("R. 501 ack 1"));
  EXPECT_THAT(sent(), IsEmpty());
  EXPECT_EQ(subflow->next_deadline(), kNever);
}

TEST_F(ClosingTest, DropSaysNothing) {
  upper.pending = 500;
  sent();
  subflow->drop(CloseReason::kTimedOut, now);
  EXPECT_EQ(upper.closed, CloseReason::kTimedOut);
  EXPECT_THAT(sent(), IsEmpty());
}

TEST_F(ClosingTest, ClosingTwiceIsClosingOnce) {
  subflow->close(now);
  subflow->close(now);
  EXPECT_THAT(sent(), ElementsAre("F. 1:2 ack 1"));
  subflow->close(now);
  EXPECT_THAT(sent(), IsEmpty());
}

TEST_F(ClosingTest, TextAfterItsOwnFinIsIgnored) {
  receive({.flags = "F.", .bytes = 10});
  sent();
  receive({.seq = 12, .bytes = 10});
  EXPECT_EQ(upper.received, 10u);
  EXPECT_EQ(state(), State::kCloseWait);
}

TEST_F(ClosingTest, NamesOfStates) {
  EXPECT_EQ(to_string(State::kFinWait1), "FIN-WAIT-1");
  EXPECT_EQ(to_string(State::kTimeWait), "TIME-WAIT");
  EXPECT_EQ(to_string(CloseReason::kPeerReset), "reset by peer");
}

}  // namespace
}  // namespace braid::tcp::test
