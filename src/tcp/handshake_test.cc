// Opening: RFC 9293, 3.5, 3.10.7.3 and 3.10.7.4 (SYN-RECEIVED).
#include "tcp/testing/subflow_fixture.h"

namespace braid::tcp::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class HandshakeTest : public SubflowFixture {
 protected:
  void accept(In syn = {}) {
    syn.flags = "S";
    syn.seq = 0;
    subflow->accept(segment(syn), now);
    peer_seq = 1;
  }
};

TEST_F(HandshakeTest, ActiveOpen) {
  subflow->connect(now);
  EXPECT_EQ(state(), State::kSynSent);
  EXPECT_THAT(sent(), ElementsAre("S 0:1"));
  EXPECT_EQ(subflow->snd_una(), StreamOffset(0));
  EXPECT_EQ(subflow->snd_nxt(), StreamOffset(1));
  now += 30ms;
  receive({.flags = "S.", .seq = 0, .ack = 1, .mss = 1460});
  EXPECT_EQ(state(), State::kEstablished);
  EXPECT_EQ(upper.established, 1);
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 1"));
  EXPECT_EQ(subflow->recovery().rtt().srtt(), 30ms);
  EXPECT_EQ(subflow->initial_receive_seq(), kPeer);
}

TEST_F(HandshakeTest, PassiveOpen) {
  accept({.mss = 1000});
  EXPECT_EQ(state(), State::kSynReceived);
  EXPECT_THAT(sent(), ElementsAre("S. 0:1 ack 1"));
  EXPECT_EQ(upper.established, 0);
  now += 20ms;
  receive({});
  EXPECT_EQ(state(), State::kEstablished);
  EXPECT_EQ(upper.established, 1);
  EXPECT_EQ(subflow->recovery().rtt().srtt(), 20ms);
  EXPECT_EQ(subflow->mss(), 1000u);
  EXPECT_THAT(sent(), IsEmpty());
}

TEST_F(HandshakeTest, ThirdAckMayCarryTextAndFin) {
  accept();
  sent();
  receive({.flags = "F.", .bytes = 10});
  EXPECT_EQ(state(), State::kCloseWait);
  EXPECT_EQ(upper.received, 10u);
  EXPECT_EQ(upper.fins, 1);
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 12"));
}

TEST_F(HandshakeTest, SimultaneousOpen) {
  subflow->connect(now);
  sent();
  receive({.flags = "S", .seq = 0, .mss = 1460});
  EXPECT_EQ(state(), State::kSynReceived);
  EXPECT_THAT(sent(), ElementsAre("S. 0:1 ack 1"));
  receive({.flags = "S.", .seq = 0, .ack = 1});
  EXPECT_EQ(state(), State::kEstablished);
  EXPECT_EQ(upper.established, 1);
}

TEST_F(HandshakeTest, TwoSubflowsThatOpenTowardsEachOtherMeet) {
  FakeUpper other_upper(pool, 2, 1);
  Subflow other(config, {tuple.remote, tuple.local}, kPeer, 1, other_upper, pool,
                make_congestion_control("reno", 1460));
  subflow->connect(now);
  other.connect(now);
  for (int round = 0; round < 6; ++round) {
    CollectingSink to_other, to_us;
    subflow->poll_transmit(to_other, now);
    other.poll_transmit(to_us, now);
    for (const auto& s : to_other.segments) other.on_segment(arrive(s, pool), now);
    for (const auto& s : to_us.segments) subflow->on_segment(arrive(s, pool), now);
  }
  EXPECT_EQ(state(), State::kEstablished);
  EXPECT_EQ(other.state(), State::kEstablished);
  EXPECT_THAT(sent(), IsEmpty()) << "they go on answering each other";
}

TEST_F(HandshakeTest, SynOptions) {
  config.use_timestamps = true;
  make();
  subflow->connect(now);
  sent();
  EXPECT_EQ(render_options(raw[0].options), "mss 1460,sackOK,TS,wscale 8");
  EXPECT_EQ(raw[0].options.timestamps->echo, 0u);
  EXPECT_EQ(raw[0].window, 65535) << "a SYN's window is not scaled";
}

TEST_F(HandshakeTest, SynAckOffersWhatTheSynOffered) {
  config.use_timestamps = true;
  make();
  accept({.mss = 1460, .wscale = 3, .ts = wire::Timestamps{77, 0}});
  sent();
  EXPECT_EQ(render_options(raw[0].options), "mss 1460,TS,wscale 8");
  EXPECT_EQ(raw[0].options.timestamps->echo, 77u);

  make();
  accept();
  sent();
  EXPECT_EQ(render_options(raw[0].options), "mss 1460");
}

TEST_F(HandshakeTest, WindowScaleNeedsBothEnds) {
  establish({.window = 1000, .wscale = 7});
  EXPECT_EQ(subflow->window_scale(), 8);
  EXPECT_EQ(subflow->peer_window_scale(), 7);
  EXPECT_EQ(subflow->send_window_bytes(), 1000u) << "the SYN/ACK's own window is not scaled";
  receive({.window = 1000});
  EXPECT_EQ(subflow->send_window_bytes(), 128'000u);

  make();
  establish({.window = 1000});
  EXPECT_EQ(subflow->window_scale(), 0);
  receive({.window = 1000});
  EXPECT_EQ(subflow->send_window_bytes(), 1000u);
}

TEST_F(HandshakeTest, WindowScaleOver14CountsAs14) {
  establish({.wscale = 200});
  EXPECT_EQ(subflow->peer_window_scale(), 14);
}

TEST_F(HandshakeTest, OurWindowIsScaledRoundingUp) {
  upper.capacity = 100'001;
  establish({.wscale = 0});
  receive({.bytes = 1});
  sent();
  EXPECT_EQ(raw.at(0).window, (100'001 + 255) / 256);
}

TEST_F(HandshakeTest, PeerWithoutMssOptionGets536) {
  accept();
  sent();
  receive({});
  EXPECT_EQ(subflow->mss(), 536u);
}

TEST_F(HandshakeTest, TinyMssIsNotTakenLiterally) {
  accept({.mss = 1});
  sent();
  receive({});
  EXPECT_GE(subflow->mss(), 24u);
}

TEST_F(HandshakeTest, TimestampsTakeTwelveOctetsOfEachSegment) {
  config.use_timestamps = true;
  make();
  establish({.ts = wire::Timestamps{1, 1}});
  EXPECT_TRUE(subflow->has_timestamps());
  EXPECT_EQ(subflow->mss(), 1448u);
}

TEST_F(HandshakeTest, SynIsRepeatedWithDoublingIntervals) {
  config.syn_attempts = 4;
  make();
  std::vector<uint32_t> attempts;
  upper.options_hook = [&](const SegmentContext& context, wire::TcpOptions&, size_t) {
    EXPECT_EQ(context.kind, SegmentKind::kSyn);
    attempts.push_back(context.attempt);
  };
  subflow->connect(now);
  EXPECT_THAT(sent(), ElementsAre("S 0:1"));
  for (const Duration interval : {1s, 2s, 4s}) {
    EXPECT_EQ(wait_for_timer(), interval);
    EXPECT_THAT(sent(), ElementsAre("S 0:1"));
  }
  EXPECT_EQ(wait_for_timer(), 8s);
  EXPECT_EQ(state(), State::kClosed);
  EXPECT_EQ(upper.closed, CloseReason::kTimedOut);
  EXPECT_THAT(sent(), IsEmpty());
  EXPECT_THAT(attempts, ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(subflow->next_deadline(), kNever);
}

TEST_F(HandshakeTest, SynAckIsRepeatedAndGivenUp) {
  config.syn_ack_attempts = 3;
  make();
  accept();
  EXPECT_THAT(sent(), ElementsAre("S. 0:1 ack 1"));
  EXPECT_EQ(wait_for_timer(), 1s);
  EXPECT_THAT(sent(), ElementsAre("S. 0:1 ack 1"));
  EXPECT_EQ(wait_for_timer(), 2s);
  EXPECT_THAT(sent(), ElementsAre("S. 0:1 ack 1"));
  EXPECT_EQ(wait_for_timer(), 4s);
  EXPECT_EQ(upper.closed, CloseReason::kTimedOut);
}

TEST_F(HandshakeTest, RepeatedSynIsAnsweredWithTheSynAckAgain) {
  accept();
  sent();
  receive({.flags = "S", .seq = 0});
  EXPECT_THAT(sent(), ElementsAre("S. 0:1 ack 1"));
  EXPECT_EQ(state(), State::kSynReceived);
}

TEST_F(HandshakeTest, RepeatedSynsDoNotUseUpOurAttempts) {
  config.syn_ack_attempts = 3;
  make();
  accept();
  sent();
  for (int i = 0; i < 10; ++i) {
    receive({.flags = "S", .seq = 0});
    EXPECT_EQ(sent().size(), 1u);
  }
  wait_for_timer();
  EXPECT_EQ(sent().size(), 1u);
  EXPECT_FALSE(upper.closed);
}

TEST_F(HandshakeTest, AfterALostSynTheInitialWindowIsOneSegment) {
  subflow->connect(now);
  sent();
  wait_for_timer();
  sent();
  receive({.flags = "S.", .seq = 0, .ack = 1, .mss = 1460});
  peer_seq = 1;
  upper.pending = 10'000;
  EXPECT_THAT(sent(), ElementsAre(". 1:1461 ack 1"));
}

TEST_F(HandshakeTest, ASynThatWasOnlyLateDoesNotCostTheInitialWindow) {
  config.use_timestamps = true;
  make();
  subflow->connect(now);
  sent();
  const uint32_t first = raw[0].options.timestamps->value;
  wait_for_timer();
  sent();
  now += 100ms;
  receive({.flags = "S.", .seq = 0, .ack = 1, .mss = 1460, .ts = wire::Timestamps{5, first}});
  EXPECT_EQ(subflow->recovery().rtt().srtt(), 1100ms);
  EXPECT_EQ(subflow->recovery().cwnd_bytes(), 10u * 1460);
}

TEST_F(HandshakeTest, AckOfSomethingElseIsAnsweredByReset) {
  subflow->connect(now);
  sent();
  for (const uint64_t ack : {0, 2}) {
    receive({.flags = ".", .seq = 500, .ack = ack});
    EXPECT_THAT(sent(), ElementsAre(fmt::format("R {}", ack)));
    EXPECT_EQ(state(), State::kSynSent);
  }
  receive({.flags = "S.", .seq = 0, .ack = 2});
  EXPECT_THAT(sent(), ElementsAre("R 2"));
  EXPECT_EQ(state(), State::kSynSent);
}

TEST_F(HandshakeTest, ResetOfTheSynIsARefusal) {
  subflow->connect(now);
  sent();
  receive({.flags = "R", .seq = 0});
  receive({.flags = "R.", .seq = 0, .ack = 2});
  EXPECT_EQ(state(), State::kSynSent) << "it must acknowledge our SYN";
  receive({.flags = "R.", .seq = 0, .ack = 1});
  EXPECT_EQ(state(), State::kClosed);
  EXPECT_EQ(upper.closed, CloseReason::kRefused);
  EXPECT_THAT(sent(), IsEmpty());
}

TEST_F(HandshakeTest, SegmentsWithoutSynOrResetMeanNothingInSynSent) {
  subflow->connect(now);
  sent();
  receive({.flags = "F.", .seq = 9, .ack = 1, .bytes = 10});
  EXPECT_EQ(state(), State::kSynSent);
  EXPECT_THAT(sent(), IsEmpty());
}

TEST_F(HandshakeTest, ResetInSynReceived) {
  accept();
  sent();
  receive({.flags = "R", .seq = 2});
  EXPECT_EQ(state(), State::kSynReceived) << "RFC 5961: in the window is not enough";
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 1"));
  receive({.flags = "R", .seq = 1});
  EXPECT_EQ(upper.closed, CloseReason::kPeerReset);
  EXPECT_THAT(sent(), IsEmpty());
}

TEST_F(HandshakeTest, WrongAckInSynReceivedIsAnsweredByReset) {
  accept();
  sent();
  receive({.ack = 5});
  EXPECT_THAT(sent(), ElementsAre("R 5"));
  EXPECT_EQ(state(), State::kSynReceived);
}

TEST_F(HandshakeTest, CloseInSynSentIsSilent) {
  subflow->connect(now);
  sent();
  subflow->close(now);
  EXPECT_EQ(state(), State::kClosed);
  EXPECT_EQ(upper.closed, CloseReason::kAborted);
  EXPECT_THAT(sent(), IsEmpty());
}

TEST_F(HandshakeTest, CloseInSynReceivedSendsFinOnceEstablished) {
  accept();
  sent();
  subflow->close(now);
  EXPECT_THAT(sent(), IsEmpty());
  receive({});
  EXPECT_EQ(state(), State::kFinWait1);
  EXPECT_THAT(sent(), ElementsAre("F. 1:2 ack 1"));
}

TEST_F(HandshakeTest, AbortInSynReceivedResets) {
  accept();
  sent();
  subflow->abort(now);
  EXPECT_TRUE(subflow->has_reset_to_send());
  EXPECT_THAT(sent(), ElementsAre("R. 1 ack 1"));
  EXPECT_FALSE(subflow->has_reset_to_send());
}

TEST_F(HandshakeTest, UpperMayIgnoreTheThirdAck) {
  accept();
  sent();
  upper.verdict_hook = [](const wire::TcpSegment& s) {
    return s.payload.empty() ? SegmentVerdict::kDrop : SegmentVerdict::kAccept;
  };
  receive({});
  EXPECT_EQ(state(), State::kSynReceived);
  EXPECT_EQ(upper.established, 0);
  receive({.bytes = 3});
  EXPECT_EQ(state(), State::kEstablished);
  EXPECT_EQ(upper.received, 3u);
}

TEST_F(HandshakeTest, UpperMayRefuseTheSynAck) {
  subflow->connect(now);
  sent();
  upper.verdict_hook = [](const wire::TcpSegment&) { return SegmentVerdict::kReset; };
  upper.options_hook = [](const SegmentContext& context, wire::TcpOptions& options, size_t) {
    EXPECT_EQ(context.kind, SegmentKind::kRst);
    options.mptcp.push_back(wire::MpTcpRst{.reason = wire::ResetReason::kMptcpSpecific});
  };
  receive({.flags = "S.", .seq = 0, .ack = 1});
  EXPECT_EQ(upper.closed, CloseReason::kAborted);
  EXPECT_THAT(sent(), ElementsAre("R. 1 ack 1"));
  EXPECT_NE(wire::find<wire::MpTcpRst>(raw[0].options.mptcp), nullptr);
}

TEST_F(HandshakeTest, UpperSeesTheSynBeforeItIsAnswered) {
  upper.verdict_hook = [](const wire::TcpSegment& s) {
    EXPECT_TRUE(s.flags.syn);
    return SegmentVerdict::kReset;
  };
  accept();
  EXPECT_EQ(upper.closed, CloseReason::kAborted);
  EXPECT_THAT(sent(), ElementsAre("R. 0 ack 1"));
}

TEST_F(HandshakeTest, UserTimeoutLimitsTheHandshake) {
  config.user_timeout = 2500ms;
  make();
  subflow->connect(now);
  sent();
  wait_for_timer();
  sent();
  EXPECT_EQ(wait_for_timer(), 1500ms);
  EXPECT_EQ(upper.closed, CloseReason::kTimedOut);
}

TEST_F(HandshakeTest, TextOnTheSynAckIsTaken) {
  subflow->connect(now);
  sent();
  wire::TcpSegment syn_ack = segment({.flags = "S.", .seq = 0, .ack = 1});
  syn_ack.payload = segment({.seq = 1, .bytes = 20}).payload;
  subflow->on_segment(syn_ack, now);
  EXPECT_EQ(upper.received, 20u);
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 21"));
}

}  // namespace
}  // namespace braid::tcp::test
