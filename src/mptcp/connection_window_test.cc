// Flow control: one window for all subflows, buffers that grow, and what the application is told
// (RFC 8684, 3.3.5; NSDI 2012, 4.2).
#include <gtest/gtest.h>

#include "mptcp/testing/middleboxes.h"
#include "mptcp/testing/pair.h"

namespace braid::mptcp {
namespace {

using namespace testing;

class Window : public ::testing::TestWithParam<bool> {
 protected:
  static bool is_multipath() { return GetParam(); }
  static void open(Pair& pair) {
    pair.client.config.is_multipath = is_multipath();
    pair.add_client_endpoints();
    pair.client.to_send = 1;
    pair.connect();
    ASSERT_TRUE(pair.run_until([&] { return pair.server.received == 1; }));
    pair.run_for(500ms);
  }
};
INSTANTIATE_TEST_SUITE_P(Protocol, Window, ::testing::Bool(),
                         [](const auto& made) { return made.param ? "Multipath" : "Plain"; });

TEST_P(Window, ClosesAndOpensAgain) {
  Pair pair(1, {PathOptions{}, PathOptions{.delay = 40ms}});
  open(pair);
  pair.server.is_reading = false;
  pair.client.to_send = 3'000'000;
  pair.run_for(10s);
  const ConnectionInfo info = pair.server.connection->info();
  EXPECT_LE(info.receive_queue_bytes + info.out_of_order_bytes, info.receive_buffer_bytes + 512);
  EXPECT_GT(info.receive_queue_bytes, info.receive_buffer_bytes / 2);
  pair.server.is_reading = true;
  ASSERT_TRUE(exchange(pair, 3'000'000, 0));
  EXPECT_EQ(pair.server.received, 3'000'000u);
  EXPECT_FALSE(pair.server.has_wrong_bytes);
}

// All that the congestion window allowed left at once, and much of it overflowed the queue of a path that
// was not even full.
TEST_P(Window, OpensWithoutABurst) {
  const PathOptions path{.delay = 20ms, .rate_bytes_per_second = 5'000'000, .queue_bytes = 60'000};
  Pair pair(1, {path});
  pair.server.config.receive_buffer_bytes = pair.server.config.initial_receive_buffer_bytes = 600'000;
  open(pair);
  pair.client.to_send = 100'000'000;
  pair.run_for(3s);
  const auto again = [&] { return pair.client.connection->info().subflows[0].retransmissions; };
  EXPECT_GT(again(), 0u);  // slow start has found the limit
  for (int i = 0; i < 5; ++i) {
    pair.server.is_reading = false;
    pair.run_for(180ms);  // a timeout's time more, and it would start anew
    const uint64_t before = again();
    pair.server.is_reading = true;
    pair.run_for(120ms);
    EXPECT_EQ(again(), before) << i;
    pair.run_for(500ms);
  }
}

TEST_P(Window, HasItsFullSizeAtOnceWithoutAutotuning) {
  Pair pair(5, {PathOptions{}, PathOptions{}});
  pair.server.config.receive_buffer_bytes = 3'000'000;
  pair.server.config.autotune = false;
  open(pair);
  EXPECT_EQ(pair.server.connection->info().receive_buffer_bytes, 3'000'000u);
  pair.server.is_reading = false;
  pair.client.to_send = 2'000'000;
  pair.run_for(20s);
  EXPECT_GE(pair.server.connection->info().receive_queue_bytes, 1'900'000u);
}

TEST_P(Window, UpdatesLostAreProbedFor) {
  Pair pair(2, {PathOptions{}, PathOptions{}});
  open(pair);
  pair.server.is_reading = false;
  pair.client.to_send = 1'000'000;
  pair.run_for(20s);
  // What the server says of its window for a while is lost.
  pair.network.middleboxes = {lose(to_client, 6)};
  pair.server.is_reading = true;
  ASSERT_TRUE(exchange(pair, 1'000'000, 0));
  EXPECT_EQ(pair.server.received, 1'000'000u);
}

TEST_P(Window, StaysShutForAnHour) {
  Pair pair(3, {PathOptions{}, PathOptions{}});
  open(pair);
  pair.server.is_reading = false;
  pair.client.to_send = 1'000'000;
  pair.run_for(3600s);
  EXPECT_EQ(pair.client.connection->error(), ConnectionError::kNone);
  pair.server.is_reading = true;
  ASSERT_TRUE(exchange(pair, 1'000'000, 0));
  EXPECT_EQ(pair.server.received, 1'000'000u);
}

TEST_P(Window, OneOctetAtATime) {
  Pair pair(4, {PathOptions{}, PathOptions{}});
  pair.server.config.receive_buffer_bytes = pair.server.config.initial_receive_buffer_bytes = 5'000;
  open(pair);
  pair.server.is_reading = false;
  pair.client.to_send = 60'000;
  pair.client.shut_down_after = true;
  for (int i = 0; i < 200'000 && !pair.server.is_end_of_stream(); ++i) {
    pair.run_for(100us);
    pair.server.read(pair.now, 3);
    pair.settle();
  }
  EXPECT_EQ(pair.server.received, 60'000u);
  // No silly windows: segments stay large.
  EXPECT_LT(pair.network.paths[0].packets[0] + pair.network.paths[1].packets[0], 400u);
}

TEST(WindowEdge, NeverMovesBack) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    Pair pair(seed, {PathOptions{.delay = 5ms, .loss = 0.02}, PathOptions{.delay = 25ms, .loss = 0.02}});
    pair.add_client_endpoints();
    uint64_t edge = 0, first = 0;
    bool did_move_back = false;
    pair.network.middleboxes = {[&](size_t, Direction d, Segment& s) {
      const auto* dss = find_option<wire::Dss>(s);
      if (d != Direction::kToClient || dss == nullptr || !dss->data_ack.has_value()) return true;
      if (first == 0) first = dss->data_ack->value;
      const uint64_t ack =
          unwrap32(static_cast<uint32_t>(dss->data_ack->value - first), edge) + (uint64_t{1} << 32);
      const uint64_t right = ack + (uint64_t{s.window} << pair.server.config.subflow.window_scale);
      // Rounded to the scale, it may seem to go back by less than a unit.
      did_move_back = did_move_back || right + (1u << pair.server.config.subflow.window_scale) <= edge;
      edge = std::max(edge, right);
      return true;
    }};
    pair.server.is_reading = false;
    pair.client.to_send = 1'500'000;
    pair.client.shut_down_after = pair.server.shut_down_after = true;
    pair.connect();
    for (int i = 0; i < 20'000 && !pair.server.is_end_of_stream(); ++i) {
      pair.run_for(5ms);
      pair.server.read(pair.now, 10'000);
    }
    EXPECT_EQ(pair.server.received, 1'500'000u);
    EXPECT_FALSE(did_move_back) << "seed " << seed;
  }
}

// When the hole was filled all was acknowledged at once, and the window was shut for a moment until the
// application had read. The other path took that for blocking, and had the window that the loss had left cut
// to the little that was in flight just then.
TEST(Penalty, DoesNotPunishALossTwice) {
  Pair pair(12, {PathOptions{.delay = 43ms, .rate_bytes_per_second = 60'000, .queue_bytes = 20'000},
                 PathOptions{.delay = 250ms}});
  pair.server.config.receive_buffer_bytes = pair.server.config.initial_receive_buffer_bytes = 600'000;
  pair.add_client_endpoints();
  pair.client.to_send = 1'000'000'000;
  pair.server.is_reading = false;
  const auto run_for = [&](Duration time) {
    for (const Time end = pair.now + time; pair.now < end;) {
      pair.run_for(5ms);
      pair.server.read(pair.now);
    }
  };
  int left = 0;
  pair.network.middleboxes = {[&](size_t path, Direction d, Segment& s) {
    return path != 1 || d != Direction::kToServer || s.payload_size() == 0 || left-- != 1;
  }};
  pair.connect();
  const auto cwnd = [&] {
    for (const SubflowInfo& s : pair.client.connection->info().subflows)
      if (s.tuple.local.address == client_address(1)) return s.cwnd_bytes;
    return uint64_t{0};
  };
  for (int i = 0; i < 300 && cwnd() < 600'000; ++i) run_for(100ms);
  ASSERT_GT(cwnd(), 600'000u);
  for (int i = 0; i < 3; ++i) {
    run_for(5s);
    left = 1;
    for (int j = 0; j < 40; ++j) {
      run_for(50ms);
      EXPECT_GT(cwnd(), 150'000u) << i;  // of 600,000, CUBIC leaves seven tenths
    }
  }
}

TEST(Buffers, AreAsLargeForSendingAsForReceiving) {  // RFC 8684, 3.3.5
  const ConnectionConfig config;
  EXPECT_GE(config.send_buffer_bytes, config.receive_buffer_bytes);
}

TEST(Buffers, GrowWithThePath) {
  Pair pair(5, {PathOptions{.delay = 50ms, .rate_bytes_per_second = 10'000'000, .queue_bytes = 500'000}});
  pair.client.to_send = 60'000'000;
  pair.connect();
  ASSERT_TRUE(pair.run_until([&] { return pair.server.received > 40'000'000; }, 60s));
  EXPECT_GT(pair.server.connection->info().receive_buffer_bytes, 1'000'000u);
  EXPECT_GT(pair.client.connection->info().send_buffer_bytes, 1'000'000u);
  const Time begin = pair.now;
  ASSERT_TRUE(pair.run_until([&] { return pair.server.received == 60'000'000; }, 60s));
  EXPECT_LT(std::chrono::duration<double>(pair.now - begin).count(), 20.0 / 10.0 * 1.2);
}

TEST(Buffers, StaySmallWhereThatIsEnough) {
  Pair pair(6, {PathOptions{.delay = 1ms, .rate_bytes_per_second = 100'000, .queue_bytes = 20'000}});
  pair.client.to_send = 3'000'000;
  pair.connect();
  ASSERT_TRUE(pair.run_until([&] { return pair.server.received == 3'000'000; }));
  EXPECT_LT(pair.server.connection->info().receive_buffer_bytes, 400'000u);
}

TEST(Buffers, OctetsOneByOneDoNotFillMemory) {
  Pair pair(7);
  pair.client.config.no_delay = true;
  pair.client.write_size = 1;
  pair.server.is_reading = false;
  pair.connect();
  for (int i = 1; i < 30'000; ++i) {
    pair.client.to_send = static_cast<uint64_t>(i);
    pair.run_for(20us);
  }
  pair.run_for(1s);
  EXPECT_GT(pair.server.connection->readable_bytes(), 20'000u);
  EXPECT_LT(pair.server.connection->memory_bytes(), 400'000u);
}

TEST(Events, WritableOnlyAfterARefusal) {
  Pair pair(8);
  pair.client.to_send = 100;
  pair.connect();
  ASSERT_TRUE(pair.run_until([&] { return pair.server.received == 100; }));
  const size_t before = pair.client.environment.count(ConnectionEvent::kWritable);
  pair.server.is_reading = false;
  pair.client.to_send = 3'000'000;
  pair.run_for(5s);
  EXPECT_LT(pair.client.sent, 3'000'000u);
  const size_t while_full = pair.client.environment.count(ConnectionEvent::kWritable);
  pair.run_for(5s);
  EXPECT_EQ(pair.client.environment.count(ConnectionEvent::kWritable), while_full);
  pair.server.is_reading = true;
  ASSERT_TRUE(pair.run_until([&] { return pair.server.received == 3'000'000; }));
  EXPECT_GT(pair.client.environment.count(ConnectionEvent::kWritable), before);
}

TEST(Events, ReadableOncePerDrain) {
  Pair pair(9);
  pair.server.is_reading = false;
  pair.client.to_send = 50'000;
  pair.connect();
  pair.run_for(2s);
  EXPECT_EQ(pair.server.environment.count(ConnectionEvent::kReadable), 1u);
  pair.server.read(pair.now, 100);
  pair.client.to_send = 60'000;
  pair.run_for(2s);
  EXPECT_EQ(pair.server.environment.count(ConnectionEvent::kReadable), 1u);
  pair.server.read(pair.now);
  pair.client.to_send = 70'000;
  pair.run_for(2s);
  EXPECT_EQ(pair.server.environment.count(ConnectionEvent::kReadable), 2u);
}

TEST(Nagle, HoldsSmallPiecesBackUnlessToldNotTo) {
  for (const bool no_delay : {false, true}) {
    Pair pair(10, {PathOptions{.delay = 50ms}});
    pair.client.config.no_delay = no_delay;
    pair.client.write_size = 10;
    pair.client.to_send = 10;
    pair.connect();
    ASSERT_TRUE(pair.run_until([&] { return pair.server.received == 10; }));
    pair.run_for(1s);
    const uint64_t before = pair.network.paths[0].packets[0];
    for (uint64_t i = 2; i <= 21; ++i) {
      pair.client.to_send = 10 * i;
      pair.run_for(1ms);
    }
    pair.run_for(1s);
    EXPECT_EQ(pair.server.received, 210u);
    const uint64_t packets = pair.network.paths[0].packets[0] - before;
    EXPECT_EQ(packets >= 20, no_delay) << packets;
    EXPECT_EQ(packets <= 4, !no_delay) << packets;
  }
}

TEST(Cork, HoldsPartialSegmentsForAFifthOfASecondAtMost) {
  Pair pair(11);
  pair.client.to_send = 1;
  pair.connect();
  ASSERT_TRUE(pair.run_until([&] { return pair.server.received == 1; }));
  pair.run_for(1s);
  pair.client.connection->set_cork(true, pair.now);
  pair.client.to_send = 500;
  pair.run_for(150ms);
  EXPECT_EQ(pair.server.received, 1u);
  pair.run_for(100ms);
  EXPECT_EQ(pair.server.received, 500u);
  pair.client.to_send = 900;
  pair.run_for(50ms);
  EXPECT_EQ(pair.server.received, 500u);
  pair.client.connection->set_cork(false, pair.now);
  pair.run_for(50ms);
  EXPECT_EQ(pair.server.received, 900u);
}

}  // namespace
}  // namespace braid::mptcp
