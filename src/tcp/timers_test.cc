// Zero windows (RFC 9293, 3.8.6.1), keepalive (3.8.4), user timeout (3.8.3), and ICMP (3.9.2.2, RFC 5927).
#include <cerrno>

#include "tcp/testing/subflow_fixture.h"

namespace braid::tcp::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class TimersTest : public SubflowFixture {
 protected:
  TimersTest() { establish({.sack_ok = true}); }
};

TEST_F(TimersTest, ShutWindowIsProbedWithBackoff) {
  receive({.window = 0});
  upper.pending = 100;
  EXPECT_THAT(sent(), IsEmpty());
  Duration last = wait_for_timer();
  EXPECT_GE(last, 200ms);
  EXPECT_THAT(sent(), ElementsAre(". 0 ack 1"));
  for (int i = 0; i < 12; ++i) {
    receive({.window = 0});
    EXPECT_THAT(sent(), IsEmpty());
    const Duration next = wait_for_timer();
    EXPECT_EQ(next, std::min<Duration>(2 * last, 60s));
    last = next;
    EXPECT_THAT(sent(), ElementsAre(". 0 ack 1"));
  }
  EXPECT_EQ(last, 60s);
  EXPECT_EQ(subflow->totals().zero_window_probes, 13u);
  receive({.window = 1000});
  EXPECT_THAT(sent(), ElementsAre("P. 1:101 ack 1"));
}

TEST_F(TimersTest, ShutWindowIsProbedAsLongAsThePeerAnswers) {
  receive({.window = 0});
  upper.pending = 100;
  sent();
  for (int i = 0; i < 500; ++i) {
    wait_for_timer();
    ASSERT_THAT(sent(), ElementsAre(". 0 ack 1"));
    receive({.window = 0});
    sent();
  }
  EXPECT_FALSE(upper.closed);
}

TEST_F(TimersTest, ShutWindowAndSilenceEndTheSubflow) {
  receive({.window = 0});
  upper.pending = 100;
  sent();
  size_t probes = 0;
  while (!upper.closed) {
    wait_for_timer();
    if (!upper.closed) probes += sent().size();
  }
  EXPECT_EQ(probes, config.retransmission_attempts);
  EXPECT_EQ(upper.closed, CloseReason::kTimedOut);
}

TEST_F(TimersTest, ShutWindowAndSilenceUntilTheUserTimeout) {
  subflow->set_user_timeout(3s);
  receive({.window = 0});
  upper.pending = 100;
  sent();
  wait_for_timer();
  const Time first_probe = now;
  while (!upper.closed) {
    sent();
    wait_for_timer();
  }
  EXPECT_EQ(now - first_probe, 3s);
}

TEST_F(TimersTest, ShutWindowWithNothingToSendIsLeftAlone) {
  receive({.window = 0});
  sent();
  EXPECT_EQ(subflow->next_deadline(), kNever);
}

TEST_F(TimersTest, WindowShutOverDataInFlightDoesNotKillWhileThePeerAnswers) {
  upper.pending = 1000;
  sent();
  for (int i = 0; i < 100 && !upper.closed; ++i) {
    wait_for_timer();
    sent();
    receive({.ack = 1, .window = 0});
  }
  EXPECT_FALSE(upper.closed);
  receive({.ack = 1001, .window = 1000});
  EXPECT_EQ(subflow->snd_una(), StreamOffset(1001));
}

TEST_F(TimersTest, Keepalive) {
  subflow->set_keepalive(60s, 10s, 3, now);
  EXPECT_EQ(wait_for_timer(), 60s);
  EXPECT_THAT(sent(), ElementsAre(". 0 ack 1"));
  now += 1s;
  receive({});
  EXPECT_EQ(wait_for_timer(), 60s);
  EXPECT_THAT(sent(), ElementsAre(". 0 ack 1"));
  EXPECT_EQ(wait_for_timer(), 10s);
  EXPECT_THAT(sent(), ElementsAre(". 0 ack 1"));
  EXPECT_EQ(wait_for_timer(), 10s);
  EXPECT_THAT(sent(), ElementsAre(". 0 ack 1"));
  EXPECT_EQ(wait_for_timer(), 10s);
  EXPECT_EQ(upper.closed, CloseReason::kTimedOut);
  EXPECT_THAT(sent(), ElementsAre("R. 1 ack 1"));
  EXPECT_EQ(subflow->totals().keepalive_probes, 4u);
}

TEST_F(TimersTest, KeepaliveWaitsForRetransmissions) {
  subflow->set_keepalive(1s, 1s, 1, now);
  upper.pending = 100;
  sent();
  wait(10s);
  EXPECT_FALSE(upper.closed);
  EXPECT_EQ(subflow->totals().keepalive_probes, 0u);
}

TEST_F(TimersTest, KeepaliveCanBeSwitchedOff) {
  subflow->set_keepalive(60s, 10s, 3, now);
  subflow->set_keepalive(std::nullopt, 10s, 3, now);
  EXPECT_EQ(subflow->next_deadline(), kNever);
}

TEST_F(TimersTest, AdvanceTwiceIsAdvanceOnce) {
  upper.pending = 100;
  sent();
  for (int i = 0; i < 6; ++i) {
    wait_for_timer();
    const int timeouts = upper.timeouts;
    subflow->advance(now);
    EXPECT_EQ(upper.timeouts, timeouts);
    EXPECT_EQ(sent().size(), 1u);
    EXPECT_GT(subflow->next_deadline(), now);
  }
}

class IcmpTest : public SubflowFixture {
 protected:
  void error(wire::IcmpErrorKind kind, uint32_t seq, uint32_t mtu = 0) {
    subflow->on_icmp({.kind = kind, .mtu = mtu, .tuple = tuple, .seq = kOwn + seq}, now);
  }
};

TEST_F(IcmpTest, HardErrorRefusesAConnectionThatOpens) {
  subflow->connect(now);
  sent();
  error(wire::IcmpErrorKind::kPortUnreachable, 1);
  EXPECT_EQ(state(), State::kSynSent) << "it quotes a sequence number that is not our SYN's";
  error(wire::IcmpErrorKind::kPortUnreachable, 0);
  EXPECT_EQ(state(), State::kClosed);
  EXPECT_EQ(upper.closed, CloseReason::kUnreachable);
  EXPECT_EQ(subflow->soft_error(), ECONNREFUSED);
}

TEST_F(IcmpTest, SoftErrorEndsAConnectionThatOpensToo) {
  subflow->connect(now);
  sent();
  error(wire::IcmpErrorKind::kHostUnreachable, 0);
  EXPECT_EQ(state(), State::kClosed);
  EXPECT_EQ(upper.closed, CloseReason::kUnreachable);
  EXPECT_EQ(subflow->soft_error(), EHOSTUNREACH);
}

TEST_F(IcmpTest, NothingAbortsAnEstablishedConnection) {
  establish();
  upper.pending = 100;
  sent();
  error(wire::IcmpErrorKind::kPortUnreachable, 1);
  EXPECT_EQ(state(), State::kEstablished);
  EXPECT_EQ(subflow->soft_error(), ECONNREFUSED);
}

TEST_F(IcmpTest, ErrorsAboutWhatIsNotInFlightAreIgnored) {
  establish();
  upper.pending = 100;
  sent();
  for (const uint32_t seq : {0u, 101u, 0x80000000u}) {
    error(wire::IcmpErrorKind::kHostUnreachable, seq);
    error(wire::IcmpErrorKind::kPacketTooBig, seq, 576);
  }
  EXPECT_FALSE(subflow->soft_error());
  EXPECT_EQ(subflow->mss(), 1460u);
}

TEST_F(IcmpTest, PathMtuIsBelievedWithinReason) {
  establish();
  upper.pending = 100;
  sent();
  error(wire::IcmpErrorKind::kPacketTooBig, 1, 9000);
  EXPECT_EQ(subflow->mss(), 1460u) << "never larger";
  error(wire::IcmpErrorKind::kPacketTooBig, 1, 0);
  EXPECT_EQ(subflow->mss(), 1492u - 40) << "a router that does not say: the next plateau";
  error(wire::IcmpErrorKind::kPacketTooBig, 1, 68);
  EXPECT_EQ(subflow->mss(), 552u - 40) << "never ridiculously small";
}

}  // namespace
}  // namespace braid::tcp::test
