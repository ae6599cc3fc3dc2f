#include "host/time_wait_table.h"

#include <gtest/gtest.h>

namespace braid::host {
namespace {

using Verdict = TimeWaitTable::Verdict;

wire::FourTuple tuple(uint16_t remote_port = 5000) {
  return {*wire::Endpoint::parse("192.0.2.1:80"), {*wire::IpAddress::parse("192.0.2.2"), remote_port}};
}

class TimeWaitTest : public testing::Test {
 protected:
  tcp::TimeWaitRecord record(uint16_t remote_port = 5000) const {
    tcp::TimeWaitRecord r;
    r.tuple = tuple(remote_port);
    r.snd_nxt = Seq32(1000);
    r.rcv_nxt = Seq32(9000);
    r.window = 77;
    r.last_timestamp = 50;
    r.our_timestamp = 60;
    r.until = now + 60s;
    return r;
  }
  wire::TcpSegment segment(uint32_t seq, std::optional<uint32_t> timestamp = 51) const {
    wire::TcpSegment s;
    s.tuple = tuple();
    s.seq = Seq32(seq);
    if (timestamp) s.options.timestamps = wire::Timestamps{*timestamp, 0};
    return s;
  }

  SeededRandom random{1};
  TimeWaitTable table{random, 100};
  Time now{};
};

TEST_F(TimeWaitTest, ARepeatedFinIsAcknowledgedAndTheWaitBeginsAnew) {
  table.insert(record(), now);
  now += 50s;
  wire::TcpSegment fin = segment(8999);
  fin.flags.fin = fin.flags.ack = true;
  const auto result = table.on_segment(fin, now);
  ASSERT_EQ(result.verdict, Verdict::kAnswer);
  EXPECT_TRUE(result.reply.flags.ack);
  EXPECT_EQ(result.reply.seq, Seq32(1000));
  EXPECT_EQ(result.reply.ack, Seq32(9000));
  EXPECT_EQ(result.reply.timestamps->echo, 50u);
  EXPECT_TRUE(table.contains(tuple(), now + 59s));
  table.expire(now + 59s);
  EXPECT_EQ(table.size(), 1u);
  table.expire(now + 61s);
  EXPECT_EQ(table.size(), 0u);
}

TEST_F(TimeWaitTest, ResetsDoNotEndTheWait) {
  table.insert(record(), now);
  wire::TcpSegment rst = segment(9000);
  rst.flags.rst = true;
  EXPECT_EQ(table.on_segment(rst, now).verdict, Verdict::kIgnore);
  EXPECT_TRUE(table.contains(tuple(), now));
}

TEST_F(TimeWaitTest, ABareAckInPlaceIsNotAnswered) {
  table.insert(record(), now);
  wire::TcpSegment ack = segment(9000);
  ack.flags.ack = true;
  EXPECT_EQ(table.on_segment(ack, now).verdict, Verdict::kIgnore);
}

TEST_F(TimeWaitTest, ANewerSynMayReuseTheTuple) {
  wire::TcpSegment syn = segment(100, 51);  // lower sequence number, later timestamp (RFC 6191)
  syn.flags.syn = true;
  table.insert(record(), now);
  EXPECT_EQ(table.on_segment(syn, now).verdict, Verdict::kReusable);
  EXPECT_EQ(table.on_segment(syn, now).verdict, Verdict::kUnknown);

  table.insert(record(), now);
  syn = segment(9001, std::nullopt);  // no timestamps: by sequence number (RFC 1122, 4.2.2.13)
  syn.flags.syn = true;
  EXPECT_EQ(table.on_segment(syn, now).verdict, Verdict::kReusable);
}

TEST_F(TimeWaitTest, AnOldSynIsAnsweredWithAnAck) {
  table.insert(record(), now);
  wire::TcpSegment syn = segment(9001, 49);
  syn.flags.syn = true;
  EXPECT_EQ(table.on_segment(syn, now).verdict, Verdict::kAnswer);
  syn = segment(8000, std::nullopt);
  syn.flags.syn = true;
  EXPECT_EQ(table.on_segment(syn, now).verdict, Verdict::kAnswer);
}

TEST_F(TimeWaitTest, AnswersAreLimited) {
  table.insert(record(), now);
  wire::TcpSegment stray = segment(1);
  stray.flags.ack = true;
  int answers = 0;
  for (int i = 0; i < 10'000; ++i) answers += table.on_segment(stray, now).verdict == Verdict::kAnswer;
  EXPECT_GT(answers, 0);
  EXPECT_LE(answers, 100);
}

TEST_F(TimeWaitTest, TheOldestGoWhenItIsFull) {
  for (uint16_t port = 1; port <= 300; ++port) table.insert(record(port), now);
  EXPECT_EQ(table.size(), 100u);
  EXPECT_FALSE(table.contains(tuple(200), now));
  EXPECT_TRUE(table.contains(tuple(201), now));
}

// The same tuple again and again must neither grow the table nor lose the latest record.
TEST_F(TimeWaitTest, ReusedTuplesKeepTheirLatestRecord) {
  for (int i = 0; i < 5'000; ++i) {
    table.insert(record(7), now);
    now += 100ms;
  }
  EXPECT_EQ(table.size(), 1u);
  EXPECT_TRUE(table.contains(tuple(7), now + 59s));
  table.expire(now + 60s);
  EXPECT_EQ(table.size(), 0u);
}

}  // namespace
}  // namespace braid::host
