// The sending side: segments, super-segments, windows, options, retransmission.
#include "tcp/testing/subflow_fixture.h"

namespace braid::tcp::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class TransmitTest : public SubflowFixture {
 protected:
  TransmitTest() { establish({.sack_ok = true}); }
  void restart(const SubflowConfig& c, In syn_ack = {.sack_ok = true}) {
    config = c;
    peer_seq = 0;
    make();
    establish(syn_ack);
  }
};

TEST_F(TransmitTest, FullSegmentsThenTheRestWithPush) {
  upper.pending = 3000;
  EXPECT_THAT(sent(), ElementsAre(". 1:1461 ack 1", ". 1461:2921 ack 1", "P. 2921:3001 ack 1"));
  EXPECT_EQ(subflow->snd_nxt(), StreamOffset(3001));
  EXPECT_EQ(subflow->snd_end(), StreamOffset(3001));
  receive({.ack = 1461});
  EXPECT_EQ(subflow->snd_una(), StreamOffset(1461));
  EXPECT_EQ(upper.acked, StreamOffset(1461));
}

TEST_F(TransmitTest, InitialWindowIsTenSegments) {
  upper.pending = 100'000;
  EXPECT_EQ(sent().size(), 10u);
  EXPECT_THAT(sent(), IsEmpty());
  EXPECT_EQ(upper.granted, 14'600u);
}

TEST_F(TransmitTest, SuperSegmentIsCutAtMss) {
  SubflowConfig c = config;
  c.max_super_segment = 64'240;
  restart(c);
  upper.pending = 100'000;
  EXPECT_THAT(sent(), ElementsAre(". 1:14601 ack 1"));
  EXPECT_EQ(raw[0].mss, 1460);
  EXPECT_EQ(upper.fetches, 1);
}

TEST_F(TransmitTest, SuperSegmentEndsWithItsMap) {
  SubflowConfig c = config;
  c.max_super_segment = 64'240;
  restart(c);
  upper.pending = 100'000;
  upper.map_bytes = 4000;
  EXPECT_THAT(sent(), ElementsAre(". 1:4001 ack 1", ". 4001:8001 ack 1", ". 8001:12001 ack 1",
                                  ". 12001:13461 ack 1"));
}

TEST_F(TransmitTest, SuperSegmentIsWholeSegmentsWhenMoreWaits) {
  SubflowConfig c = config;
  c.max_super_segment = 5000;
  restart(c);
  upper.pending = 10'000;
  EXPECT_THAT(sent(), ElementsAre(". 1:4381 ack 1", ". 4381:8761 ack 1", "P. 8761:10001 ack 1"));
}

TEST_F(TransmitTest, SuperSegmentFitsInAnIpPacket) {
  SubflowConfig c = config;
  c.max_super_segment = 1u << 20;
  restart(c, {.wscale = 8, .sack_ok = true});
  for (int i = 0; i < 20; ++i) {
    upper.pending = 1u << 20;
    sent();
    for (const auto& s : raw) EXPECT_LE(s.payload_size() + 20 + 60, 65'535u);
    receive({});
  }
  EXPECT_GT(upper.granted, 1u << 20);
}

TEST_F(TransmitTest, OptionsOfTheUpperShrinkTheSegment) {
  SubflowConfig c = config;
  c.use_timestamps = true;
  c.max_super_segment = 64'240;
  restart(c, {.sack_ok = true, .ts = wire::Timestamps{1, 1}});
  upper.options_hook = [](const SegmentContext& context, wire::TcpOptions& options, size_t space) {
    EXPECT_EQ(space, 28u);
    if (context.kind != SegmentKind::kData) return;
    wire::Dss dss;
    dss.data_ack = wire::WideOrNarrow{1, true};
    options.mptcp.push_back(dss);
  };
  upper.pending = 14'360;
  sent();
  // The first could not know; every piece of it fits all the same.
  for (const auto& s : raw) EXPECT_EQ(s.mss, 1460 - 24);
  EXPECT_EQ(subflow->mss(), 1436u);
  receive({});
  upper.pending = 14'360;
  sent();
  ASSERT_EQ(raw.size(), 1u);
  EXPECT_EQ(raw[0].payload_size(), 14'360u);
}

TEST_F(TransmitTest, SackBlocksOnDataLeaveRoomForThemselves) {
  receive({.seq = 101, .bytes = 100});
  upper.pending = 5000;
  EXPECT_EQ(sent().front(), ". 1:1449 ack 1 <sack 101:201>");
  for (const auto& s : raw) EXPECT_LE(s.payload_size() + s.options.encoded_size(), 1460u);
}

TEST_F(TransmitTest, SendWindowIsObeyed) {
  receive({.window = 4000});
  upper.pending = 100'000;
  EXPECT_THAT(sent(), ElementsAre(". 1:1461 ack 1", ". 1461:2921 ack 1"));
  EXPECT_THAT(sent(), IsEmpty()) << "1080 octets are silly: under a segment, under half the window";
  receive({.ack = 2921, .window = 4000});
  EXPECT_THAT(sent(), ElementsAre(". 2921:4001 ack 1", ". 4001:5461 ack 1", ". 5461:6921 ack 1"));
}

TEST_F(TransmitTest, SmallWindowIsUsedByHalves) {
  peer_seq = 0;
  make();
  establish({.window = 1000, .sack_ok = true});
  upper.pending = 100'000;
  EXPECT_THAT(sent(), ElementsAre(". 1:1001 ack 1"));
  receive({.ack = 1001, .window = 400});
  EXPECT_THAT(sent(), IsEmpty());
  receive({.ack = 1001, .window = 500});
  EXPECT_EQ(sent().size(), 1u);
}

TEST_F(TransmitTest, SmallWindowIsUsedInTheEnd) {
  receive({.window = 300});
  upper.pending = 1000;
  EXPECT_THAT(sent(), IsEmpty());
  EXPECT_GE(wait_for_timer(), 200ms);
  EXPECT_THAT(sent(), ElementsAre(". 1:301 ack 1"));
}

TEST_F(TransmitTest, LittleDataGoInASmallWindowAtOnce) {
  receive({.window = 300});
  upper.pending = 200;
  EXPECT_THAT(sent(), ElementsAre("P. 1:201 ack 1"));
}

TEST_F(TransmitTest, WindowThatMovesBackIsNotOverrun) {
  receive({.window = 20'000});
  upper.pending = 100'000;
  EXPECT_EQ(sent().size(), 10u);
  receive({.ack = 1461, .window = 1000});
  EXPECT_THAT(sent(), IsEmpty());
  EXPECT_EQ(subflow->send_room_bytes(), 0u);
}

TEST_F(TransmitTest, OlderSegmentDoesNotSetTheWindow) {
  receive({.bytes = 10, .window = 5000});
  receive({.seq = 1, .window = 100});
  EXPECT_EQ(subflow->send_window_bytes(), 5000u);
}

TEST_F(TransmitTest, LostSegmentIsSentAgainByItself) {
  upper.pending = 14'600;
  sent();
  now += 50ms;
  receive({.ack = 1, .sack = {{1461, 7301}}});
  const auto lines = sent();
  ASSERT_FALSE(lines.empty());
  EXPECT_EQ(lines.front(), ". 1:1461 ack 1");
  EXPECT_EQ(subflow->recovery().totals().retransmissions, 1u);
}

TEST_F(TransmitTest, RetransmissionStopsAtTheEndOfAMap) {
  SubflowConfig c = config;
  c.max_super_segment = 64'240;
  restart(c);
  upper.pending = 14'600;
  upper.map_bytes = 2000;
  EXPECT_EQ(sent().size(), 7u);
  wait_for_timer();  // tail probe
  sent();
  while (upper.timeouts == 0) wait_for_timer();
  now += 1ms;
  EXPECT_THAT(sent(), ElementsAre(". 1:1461 ack 1"));
  EXPECT_TRUE(subflow->is_stalled());
  receive({.ack = 1461});
  EXPECT_FALSE(subflow->is_stalled());
  EXPECT_EQ(upper.recovered, 1);
  const auto lines = sent();
  ASSERT_FALSE(lines.empty());
  EXPECT_EQ(lines[0], ". 1461:2001 ack 1");
}

TEST_F(TransmitTest, TailIsProbed) {
  upper.pending = 2000;
  sent();
  now += 10ms;
  receive({.ack = 1461});
  wait_for_timer();
  EXPECT_EQ(upper.timeouts, 0);
  EXPECT_THAT(sent(), ElementsAre("P. 1461:2001 ack 1"));
  EXPECT_EQ(subflow->recovery().totals().tail_probes, 1u);
}

TEST_F(TransmitTest, TailProbeTakesNewDataIfThereAreAny) {
  upper.pending = 2000;
  sent();
  wait_for_timer();
  upper.pending = 100;
  EXPECT_EQ(sent().front(), "P. 2001:2101 ack 1");
}

TEST_F(TransmitTest, TimeoutsInARowEndTheSubflow) {
  SubflowConfig c = config;
  c.retransmission_attempts = 3;
  restart(c);
  upper.pending = 100;
  sent();
  while (!upper.closed) {
    wait_for_timer();
    sent();
  }
  EXPECT_EQ(upper.timeouts, 3);
  EXPECT_EQ(upper.closed, CloseReason::kTimedOut);
  EXPECT_EQ(subflow->next_deadline(), kNever);
}

TEST_F(TransmitTest, UserTimeoutEndsTheSubflowAtItsTime) {
  subflow->set_user_timeout(5s);
  now += 10s;
  upper.pending = 100;
  sent();
  const Time start = now;
  while (!upper.closed) {
    wait_for_timer();
    sent();
  }
  EXPECT_EQ(now - start, 5s);
  EXPECT_EQ(upper.closed, CloseReason::kTimedOut);
}

TEST_F(TransmitTest, ProbeAsksForAnAck) {
  subflow->send_probe();
  EXPECT_THAT(sent(), ElementsAre(". 0 ack 1"));
  EXPECT_THAT(sent(), IsEmpty());
}

TEST_F(TransmitTest, SmallerPathMtuCutsWhatIsSentAgain) {
  upper.pending = 14'600;
  sent();
  subflow->on_icmp({.kind = wire::IcmpErrorKind::kPacketTooBig, .mtu = 1000, .tuple = tuple, .seq = kOwn + 1},
                   now);
  EXPECT_EQ(subflow->mss(), 960u);
  const auto lines = sent();
  ASSERT_FALSE(lines.empty());
  EXPECT_EQ(lines[0], ". 1:961 ack 1");
}

TEST_F(TransmitTest, SendRoomIsWhatIsLeftOfBothWindows) {
  EXPECT_EQ(subflow->send_room_bytes(), 14'600u);
  upper.pending = 1460;
  sent();
  EXPECT_EQ(subflow->send_room_bytes(), 13'140u);
  receive({.ack = 1, .window = 2000});
  EXPECT_EQ(subflow->send_room_bytes(), 540u);
}

}  // namespace
}  // namespace braid::tcp::test
