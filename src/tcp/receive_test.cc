// The receiving side: order, holes, SACK (RFC 2018), D-SACK (RFC 2883), delayed ACKs (RFC 9293, 3.8.6.3).
#include "tcp/testing/subflow_fixture.h"

namespace braid::tcp::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ReceiveTest : public SubflowFixture {
 protected:
  ReceiveTest() { establish_quietly(); }  // rcv_nxt is 161
};

TEST_F(ReceiveTest, FirstSegmentsAreAcknowledgedAtOnce) {
  peer_seq = 0;
  make();
  establish();
  for (int i = 1; i <= 16; ++i) {
    receive({.bytes = 100});
    EXPECT_THAT(sent(), ElementsAre(fmt::format(". 1 ack {}", 1 + 100 * i)));
  }
  receive({.bytes = 100});
  EXPECT_THAT(sent(), IsEmpty());
}

TEST_F(ReceiveTest, EverySecondSegmentIsAcknowledged) {
  for (int i = 0; i < 5; ++i) {
    receive({.bytes = 100});
    EXPECT_THAT(sent(), IsEmpty());
    receive({.bytes = 100});
    EXPECT_EQ(sent().size(), 1u);
  }
}

TEST_F(ReceiveTest, ALoneSegmentIsAcknowledgedAfterTheDelay) {
  receive({.bytes = 100});
  EXPECT_THAT(sent(), IsEmpty());
  EXPECT_EQ(wait_for_timer(), config.delayed_ack);
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 261"));
  EXPECT_EQ(subflow->totals().delayed_acks, 1u);
  EXPECT_EQ(subflow->next_deadline(), kNever);
}

TEST_F(ReceiveTest, ACoalescedSegmentCountsForAllThatItWas) {
  receive({.bytes = 4000, .segments = 3});
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 4161"));
}

TEST_F(ReceiveTest, OneAckForAllThatCameSinceTheLastPoll) {
  for (int i = 0; i < 6; ++i) receive({.bytes = 100});
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 761"));
}

TEST_F(ReceiveTest, DataCarryTheAck) {
  receive({.bytes = 100});
  upper.pending = 50;
  EXPECT_THAT(sent(), ElementsAre("P. 1:51 ack 261"));
  receive({.ack = 51});
  EXPECT_EQ(subflow->next_deadline(), kNever) << "nothing is owed";
}

TEST_F(ReceiveTest, RequestedAckGoesOnce) {
  subflow->request_ack();
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 161"));
  EXPECT_THAT(sent(), IsEmpty());
}

TEST_F(ReceiveTest, HolesAreReportedNewestFirst) {
  receive({.seq = 261, .bytes = 100});
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 161 <sack 261:361>"));
  receive({.seq = 461, .bytes = 100});
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 161 <sack 461:561 261:361>"));
  receive({.seq = 661, .bytes = 100});
  receive({.seq = 861, .bytes = 100});
  receive({.seq = 1061, .bytes = 100});
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 161 <sack 1061:1161 861:961 661:761 461:561>"));
  receive({.seq = 361, .bytes = 50});
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 161 <sack 261:411 1061:1161 861:961 661:761>"));
  EXPECT_EQ(subflow->receive_queue_bytes(), 550u);
  receive({.seq = 161, .bytes = 100});
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 411 <sack 1061:1161 861:961 661:761>"));
  EXPECT_EQ(upper.received, 410u);
}

TEST_F(ReceiveTest, AfterAHoleIsFilledAcksAreNotDelayedUntilAllIsInOrder) {
  receive({.seq = 261, .bytes = 100});
  receive({.seq = 461, .bytes = 100});
  sent();
  receive({.seq = 161, .bytes = 100});
  EXPECT_EQ(sent().size(), 1u);
  receive({.seq = 361, .bytes = 100});
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 561"));
  receive({.seq = 561, .bytes = 100});
  EXPECT_THAT(sent(), IsEmpty()) << "back to normal";
}

TEST_F(ReceiveTest, DuplicatesAreReportedOnce) {
  receive({.seq = 111, .bytes = 50});
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 161 <sack 111:161>"));
  subflow->request_ack();
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 161"));
  EXPECT_EQ(subflow->totals().duplicate_bytes_in, 50u);
}

TEST_F(ReceiveTest, DuplicateBeyondAHoleIsFollowedByItsRun) {
  receive({.seq = 261, .bytes = 300});
  receive({.seq = 761, .bytes = 100});
  sent();
  receive({.seq = 361, .bytes = 100});
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 161 <sack 361:461 261:561 761:861>"));
}

TEST_F(ReceiveTest, PartlyOldSegmentGivesOnlyItsNewOctets) {
  receive({.seq = 101, .bytes = 100});
  EXPECT_EQ(upper.received, 200u);
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 201 <sack 101:161>"));
}

TEST_F(ReceiveTest, OverlapsOfHeldFragmentsAreTakenOnce) {
  receive({.seq = 200, .bytes = 100});
  receive({.seq = 400, .bytes = 100});
  receive({.seq = 250, .bytes = 200});
  receive({.seq = 161, .bytes = 1000});
  EXPECT_EQ(upper.received, 1160u);  // FakeUpper checks that no octet came twice
  EXPECT_EQ(subflow->receive_queue_bytes(), 0u);
}

TEST_F(ReceiveTest, FirstCopyOfAnOctetStays) {
  receive({.seq = 261, .bytes = 100});
  wire::TcpSegment forged = segment({.seq = 161, .bytes = 400});
  // Octets 261 to 360 are held: another's idea of them is not taken. The others are as the peer sent them.
  std::memset(forged.payload.chunk()->data() + 100, 0x55, 100);
  subflow->on_segment(forged, now);
  EXPECT_EQ(upper.received, 560u);  // and FakeUpper has compared them
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 561 <sack 261:361>"));
}

TEST_F(ReceiveTest, WithoutSackNoBlocks) {
  peer_seq = 0;
  make();
  establish();
  receive({.seq = 101, .bytes = 100});
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 1"));
}

TEST_F(ReceiveTest, WithoutSackEachSegmentBeyondAHoleGetsItsDuplicateAck) {
  peer_seq = 0;
  make();
  establish();
  for (uint64_t seq = 101; seq < 401; seq += 100) receive({.seq = seq, .bytes = 100});
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 1", ". 1 ack 1", ". 1 ack 1"));
  receive({.seq = 401, .bytes = 100});
  receive({.seq = 501, .bytes = 100});
  receive({.seq = 1, .bytes = 100});
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 601"));
}

TEST_F(ReceiveTest, SackBlocksYieldToTheOptionsOfTheUpper) {
  receive({.seq = 261, .bytes = 100});
  receive({.seq = 461, .bytes = 100});
  upper.options_hook = [](const SegmentContext&, wire::TcpOptions& options, size_t space) {
    EXPECT_EQ(space, 28u) << "12 octets are kept for a block";
    wire::Dss dss;  // 12 octets
    dss.data_ack = wire::WideOrNarrow{1, true};
    options.mptcp.push_back(dss);
  };
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 161 <sack 461:561 261:361>"));
}

TEST_F(ReceiveTest, TextBeyondTheRightEdgeIsCut) {
  upper.capacity = 1000;
  receive({.bytes = 100});
  receive({.bytes = 100});
  sent();
  const uint64_t edge = 1 + upper.received + 65536;  // what was advertised before the buffer shrank
  receive({.seq = edge - 50, .bytes = 100});
  EXPECT_LE(subflow->receive_queue_bytes(), 50u);
}

TEST_F(ReceiveTest, WhatAnEarlierWindowLetInIsTakenThoughTheWindowHasShrunk) {
  upper.capacity = 0;  // MPTCP: the window is shared, and another subflow has used it
  subflow->request_ack();
  sent();
  ASSERT_EQ(raw[0].window, 0);
  receive({.bytes = 1000});
  receive({.bytes = 1000});
  EXPECT_EQ(upper.received, 2160u);
}

TEST_F(ReceiveTest, WhatAnotherSubflowsWindowLetInIsTaken) {
  upper.capacity = 0;
  subflow->request_ack();
  sent();
  const uint64_t edge = 161 + 65536;
  upper.shared_window_bytes = 65636;
  receive({.seq = edge, .bytes = 200});
  EXPECT_EQ(subflow->receive_queue_bytes(), 100u) << "and no more than that";
}

TEST_F(ReceiveTest, FinBeyondAHoleWaits) {
  receive({.flags = "F.", .seq = 261, .bytes = 100});
  EXPECT_EQ(state(), State::kEstablished);
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 161 <sack 261:361>"));
  receive({.seq = 161, .bytes = 100});
  EXPECT_EQ(state(), State::kCloseWait);
  EXPECT_EQ(upper.fins, 1);
  EXPECT_EQ(upper.received, 360u);
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 362"));
}

TEST_F(ReceiveTest, FinIsTakenThoughTheWindowIsShut) {
  upper.capacity = 100;
  upper.reads_at_once = false;
  peer_seq = 0;
  make();
  upper.capacity = 100;
  upper.reads_at_once = false;
  establish();
  receive({.bytes = 100});
  sent();
  ASSERT_EQ(raw.at(0).window, 0);
  receive({.flags = "F."});
  EXPECT_EQ(state(), State::kCloseWait);
  EXPECT_THAT(sent(), ElementsAre(". 1 ack 102"));
}

TEST_F(ReceiveTest, NothingIsTakenBeyondAFin) {
  receive({.flags = "F.", .seq = 261, .bytes = 100});
  receive({.seq = 361, .bytes = 100});
  receive({.flags = "F.", .seq = 461});
  receive({.seq = 161, .bytes = 100});
  EXPECT_EQ(upper.received, 360u);
  EXPECT_EQ(upper.fins, 1);
}

TEST_F(ReceiveTest, TinyFragmentsDoNotHoldTheirPackets) {
  // One octet of every second position, each in a packet buffer of 64 KB.
  for (uint32_t i = 0; i < 20'000; ++i) {
    ChunkRef chunk = pool.allocate(65'536);
    wire::TcpSegment s = segment({.seq = 163 + 2 * i});
    chunk->data()[0] = pattern(2, StreamOffset(163 + 2 * i));
    s.payload = Slice(std::move(chunk), 0, 1);
    subflow->on_segment(s, now);
  }
  EXPECT_LT(pool.bytes_in_use(), 1u << 20);
  sent();
}

TEST_F(ReceiveTest, FragmentsInARowShareAChunk) {
  for (uint32_t i = 0; i < 200; ++i) {
    ChunkRef chunk = pool.allocate(65'536);
    wire::TcpSegment s = segment({.seq = 163 + i});
    chunk->data()[0] = pattern(2, StreamOffset(163 + i));
    s.payload = Slice(std::move(chunk), 0, 1);
    subflow->on_segment(s, now);
  }
  EXPECT_LE(pool.bytes_in_use(), 512u);
  receive({.seq = 161, .bytes = 2});
  EXPECT_EQ(upper.received, 362u);
}

}  // namespace
}  // namespace braid::tcp::test
