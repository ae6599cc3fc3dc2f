// Ends of connections: DATA_FIN in every order, half-close, MP_FASTCLOSE in both forms (RFC
// 8684, 3.3.3, 3.5).
#include <gtest/gtest.h>

#include "mptcp/testing/middleboxes.h"
#include "mptcp/testing/pair.h"

namespace braid::mptcp {
namespace {

using namespace testing;

class Closing : public ::testing::TestWithParam<bool> {
 protected:
  void open(Pair& pair) {
    pair.client.config.is_multipath = is_multipath();
    pair.add_client_endpoints();
    pair.client.to_send = 1;
    pair.connect();
    ASSERT_TRUE(pair.run_until([&] { return pair.server.received == 1; }));
    pair.run_for(500ms);
  }
  static bool is_multipath() { return GetParam(); }
  static bool are_finished(Pair& pair) {
    return pair.client.connection->is_finished() && pair.server.connection->is_finished();
  }
  static void expect_no_error(Pair& pair) {
    for (Side* side : {&pair.client, &pair.server}) {
      EXPECT_EQ(side->connection->error(), ConnectionError::kNone);
      EXPECT_EQ(side->environment.count(ConnectionEvent::kClosed), 1u);
      EXPECT_EQ(side->environment.count(ConnectionEvent::kPeerClosed), 1u);
      EXPECT_EQ(side->environment.count(ConnectionEvent::kFailed), 0u);
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Protocol, Closing, ::testing::Bool(),
                         [](const auto& made) { return made.param ? "Multipath" : "Plain"; });

TEST_P(Closing, BothAtOnce) {
  Pair pair(1, {PathOptions{}, PathOptions{}});
  open(pair);
  pair.client.connection->close(pair.now);
  pair.server.connection->close(pair.now);
  ASSERT_TRUE(pair.run_until([&] { return are_finished(pair); }));
  expect_no_error(pair);
  EXPECT_GE(pair.client.environment.time_waits.size() + pair.server.environment.time_waits.size(), 1u);
}

TEST_P(Closing, HalfCloseStillReceives) {
  Pair pair(2, {PathOptions{}, PathOptions{}});
  open(pair);
  pair.client.connection->shut_down_send(pair.now);
  ASSERT_TRUE(pair.run_until([&] { return pair.server.is_end_of_stream(); }));
  pair.run_for(20s);
  EXPECT_EQ(pair.client.connection->info().state, "FIN-WAIT-2");
  EXPECT_EQ(pair.server.connection->info().state, "CLOSE-WAIT");
  pair.server.to_send = 500'000;
  ASSERT_TRUE(pair.run_until([&] { return pair.client.received == 500'000; }));
  EXPECT_FALSE(pair.client.has_wrong_bytes);
  pair.server.connection->shut_down_send(pair.now);
  ASSERT_TRUE(pair.run_until([&] { return are_finished(pair); }));
  expect_no_error(pair);
}

TEST_P(Closing, WithoutAnyData) {
  Pair pair(3);
  pair.client.config.is_multipath = is_multipath();
  pair.connect();
  ASSERT_TRUE(pair.run_until([&] { return pair.client.saw(ConnectionEvent::kEstablished); }));
  pair.client.connection->close(pair.now);
  ASSERT_TRUE(pair.run_until([&] { return pair.server.is_end_of_stream(); }));
  pair.server.connection->close(pair.now);
  ASSERT_TRUE(pair.run_until([&] { return are_finished(pair); }));
  expect_no_error(pair);
}

TEST_P(Closing, EverythingSentBeforeCloseArrives) {
  for (const double loss : {0.0, 0.05}) {
    Pair pair(4, {PathOptions{.loss = loss}, PathOptions{.delay = 50ms, .loss = loss}});
    open(pair);
    pair.client.to_send = 200'000;
    pair.settle();
    ASSERT_EQ(pair.client.sent, 200'000u);
    pair.client.connection->close(pair.now);
    ASSERT_TRUE(pair.run_until([&] { return pair.server.is_end_of_stream(); }));
    EXPECT_EQ(pair.server.received, 200'000u);
    pair.server.connection->close(pair.now);
    ASSERT_TRUE(pair.run_until([&] { return are_finished(pair); }));
    EXPECT_EQ(pair.client.connection->error(), ConnectionError::kNone);
    EXPECT_EQ(pair.server.connection->error(), ConnectionError::kNone);
  }
}

TEST_P(Closing, UnreadDataMeanReset) {
  Pair pair(5, {PathOptions{}, PathOptions{}});
  open(pair);
  pair.server.is_reading = false;
  pair.client.to_send = 50'000;
  pair.run_for(1s);
  pair.server.connection->close(pair.now);
  ASSERT_TRUE(pair.run_until([&] { return are_finished(pair); }));
  EXPECT_EQ(pair.client.connection->error(), ConnectionError::kReset);
  EXPECT_TRUE(pair.client.saw(ConnectionEvent::kFailed));
  if (is_multipath()) {
    EXPECT_GE(pair.client.counter(Counter::kMpFastcloseRx), 1u);
  }
}

TEST_P(Closing, DataAfterCloseMeanReset) {
  Pair pair(6, {PathOptions{}, PathOptions{}});
  open(pair);
  pair.server.connection->close(pair.now);
  pair.run_for(100ms);
  pair.client.to_send = 50'000;
  ASSERT_TRUE(pair.run_until([&] { return are_finished(pair); }));
  EXPECT_EQ(pair.client.connection->error(), ConnectionError::kReset);
}

TEST_P(Closing, AbortTellsThePeer) {
  Pair pair(7, {PathOptions{}, PathOptions{}});
  open(pair);
  pair.client.to_send = 5'000'000;
  pair.run_for(100ms);
  pair.client.connection->abort(pair.now);
  ASSERT_TRUE(pair.run_until([&] { return are_finished(pair); }));
  EXPECT_EQ(pair.client.connection->error(), ConnectionError::kAborted);
  EXPECT_EQ(pair.server.connection->error(), ConnectionError::kReset);
  EXPECT_EQ(pair.server.environment.count(ConnectionEvent::kFailed), 1u);
}

TEST_P(Closing, LingerEndsAClosedConnection) {
  Pair pair(8);
  open(pair);
  pair.cut(0);
  pair.client.to_send = 10'000;
  pair.settle();
  pair.client.connection->close(pair.now);
  ASSERT_TRUE(pair.run_until([&] { return pair.client.connection->is_finished(); }, 100s));
}

TEST_P(Closing, ASlowPathGetsTheTimeItTakes) {
  Pair pair(9, {PathOptions{.rate_bytes_per_second = 2'000, .queue_bytes = 20'000}});
  pair.server.config.initial_receive_buffer_bytes = 1'000'000;
  open(pair);
  pair.client.to_send = 250'000;
  pair.settle();
  ASSERT_EQ(pair.client.sent, 250'000u);
  pair.client.connection->close(pair.now);
  ASSERT_TRUE(pair.run_until([&] { return pair.server.is_end_of_stream(); }, 400s));
  EXPECT_EQ(pair.server.received, 250'000u);
}

class DataFin : public ::testing::Test {};

// An ADD_ADDR that is due when the connection ends must not take the place of the last DATA_ACK, nor make the
// peer open a subflow that nobody closes.
TEST_F(DataFin, IsAcknowledgedThoughAnAnnouncementIsDue) {
  for (int i = 0; i < 40; ++i) {
    Pair pair(20, {PathOptions{}, PathOptions{}});
    const uint8_t id = 1;
    pair.client.environment.paths.endpoints = {
        {.id = id, .address = client_address(1), .port = 0, .interface = {}, .is_signal = true}};
    pair.server.environment.paths.limits.add_addr_accepted = 4;
    // Unheard until the end is near, so it is repeated.
    Time heard_from = kNever;
    pair.network.middleboxes = {
        strip_option<wire::AddAddr>([&](Direction, const Segment&) { return pair.now < heard_from; })};
    pair.client.to_send = 1;
    pair.connect();
    ASSERT_TRUE(pair.run_until([&] { return pair.server.received == 1; }));
    pair.run_for(800ms + i * 10ms);
    heard_from = pair.now;
    pair.client.connection->shut_down_send(pair.now);
    ASSERT_TRUE(pair.run_until([&] { return pair.server.is_end_of_stream(); }));
    pair.server.connection->shut_down_send(pair.now);
    ASSERT_TRUE(pair.run_until(
        [&] { return pair.client.connection->is_finished() && pair.server.connection->is_finished(); }, 5s))
        << i;
    EXPECT_EQ(pair.client.connection->error(), ConnectionError::kNone);
    EXPECT_EQ(pair.server.connection->error(), ConnectionError::kNone);
  }
}

TEST_F(DataFin, LostIsRepeated) {
  Pair pair(1, {PathOptions{}, PathOptions{}});
  pair.add_client_endpoints();
  int fins = 0;
  pair.network.middleboxes = {[&](size_t, Direction, Segment& s) {
    const auto* dss = find_option<wire::Dss>(s);
    return dss == nullptr || !dss->data_fin || ++fins > 4;
  }};
  ASSERT_TRUE(exchange(pair, 50'000, 50'000));
  EXPECT_EQ(pair.client.connection->error(), ConnectionError::kNone);
}

TEST_F(DataFin, BeforeSubflowFin) {
  Pair pair(2, {PathOptions{}, PathOptions{}});
  pair.add_client_endpoints();
  int fins = 0, data_fins = 0;
  bool is_in_order = true;
  pair.network.middleboxes = {[&](size_t, Direction, Segment& s) {
    const auto* dss = find_option<wire::Dss>(s);
    if (dss != nullptr && dss->data_fin) ++data_fins;
    if (s.flags.fin && data_fins < 2) is_in_order = false;
    fins += s.flags.fin;
    return true;
  }};
  ASSERT_TRUE(exchange(pair, 50'000, 50'000));
  EXPECT_TRUE(is_in_order);
  EXPECT_GE(fins, 2);
}

TEST_F(DataFin, EarlyWaitsForTheDataBeforeIt) {
  // The DATA_FIN overtakes data that are on a slow path.
  Pair pair(3, {PathOptions{.delay = 5ms}, PathOptions{.delay = 300ms}});
  pair.add_client_endpoints();
  ASSERT_TRUE(exchange(pair, 600'000, 0));
  EXPECT_EQ(pair.server.received, 600'000u);
  EXPECT_FALSE(pair.server.has_wrong_bytes);
}

TEST_F(DataFin, SubflowFinWithoutItIsThatSubflowsOnly) {
  Pair pair(4, {PathOptions{}, PathOptions{}});
  pair.add_client_endpoints();
  pair.client.to_send = pair.server.to_send = 4'000'000;
  pair.connect();
  ASSERT_TRUE(pair.run_until([&] { return pair.subflows(pair.server) == 2; }));
  pair.client.connection->close_subflow(0);
  pair.run_for(1s);
  EXPECT_FALSE(pair.server.is_end_of_stream());
  ASSERT_TRUE(exchange(pair, 4'000'000, 4'000'000));
  EXPECT_EQ(pair.server.received, 4'000'000u);
  EXPECT_EQ(pair.client.received, 4'000'000u);
  EXPECT_FALSE(pair.server.has_wrong_bytes || pair.client.has_wrong_bytes);
  EXPECT_EQ(pair.client.connection->error(), ConnectionError::kNone);
}

// Linux takes note of a DATA_FIN beside data that it has already, but acts on it only when data come; and
// once it has taken note, it ignores those that come by themselves: its connection never ended.
TEST_F(DataFin, IsOnAllCopiesOfTheLastOctetsOrOnNone) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const PathOptions even{.delay = 20ms, .rate_bytes_per_second = 5'000'000};
    Pair pair(seed, {even, even});
    pair.add_client_endpoints();
    pair.client.to_send = 300'000 + 10'000 * seed;
    std::optional<size_t> dead;  // the path that the last octets took, from then on: they go again
    // Of the maps that end at an octet: their path, and whether they say DATA_FIN.
    std::map<uint64_t, std::set<std::pair<size_t, bool>>> copies;
    pair.network.middleboxes = {[&](size_t path, Direction d, Segment& s) {
      const auto* dss = find_option<wire::Dss>(s);
      if (d == Direction::kToClient || dss == nullptr || !dss->mapping || s.payload_size() == 0) return true;
      const uint64_t length = dss->mapping->data_length - (dss->data_fin ? 1u : 0u);
      const uint64_t end = dss->mapping->data_seq.value + length;
      copies[end].emplace(path, dss->data_fin);
      const bool is_last = pair.client.connection->info().sent_bytes == pair.client.to_send;
      if (!dead.has_value() && is_last && end == copies.rbegin()->first) dead = path;
      return dead != path;
    }};
    pair.connect();
    ASSERT_TRUE(pair.run_until(
        [&] { return pair.client.connection->info().sent_bytes == pair.client.to_send; }, 10s));
    pair.client.connection->shut_down_send(pair.now);
    ASSERT_TRUE(pair.run_until([&] { return pair.server.is_end_of_stream(); }, 10s)) << seed;
    pair.run_for(2s);
    const auto& last = copies.rbegin()->second;
    std::set<size_t> paths;
    std::set<bool> endings;
    for (const auto& [path, is_ending] : last) paths.insert(path), endings.insert(is_ending);
    EXPECT_EQ(paths.size(), 2u) << seed;
    EXPECT_EQ(endings.size(), 1u) << seed;
  }
}

TEST_F(DataFin, WithChecksum) {
  Pair pair(5, {PathOptions{.loss = 0.05}});
  pair.client.config.require_checksum = true;
  ASSERT_TRUE(exchange(pair, 20'000, 20'000));
  Pair empty(6);
  empty.client.config.require_checksum = true;
  ASSERT_TRUE(exchange(empty, 0, 0));
  EXPECT_EQ(empty.client.counter(Counter::kDataCsumErr), 0u);
  EXPECT_EQ(empty.server.counter(Counter::kDataCsumErr), 0u);
}

TEST(Fastclose, OnAnAckIsHonouredToo) {
  std::optional<uint64_t> server_key;
  bool is_sent = false;
  Pair pair(1, {PathOptions{}, PathOptions{}});
  pair.add_client_endpoints();
  pair.network.middleboxes = {[&](size_t, Direction d, Segment& s) {
    if (const auto* capable = find_option<wire::MpCapable>(s);
        d == Direction::kToClient && capable != nullptr)
      server_key = capable->sender_key;
    if (d == Direction::kToServer && !is_sent && server_key.has_value() && pair.server.received > 0) {
      s.options.mptcp.clear();
      s.options.mptcp.push_back(wire::MpFastclose{*server_key});
      is_sent = true;
    }
    return true;
  }};
  pair.client.to_send = 1'000'000;
  pair.connect();
  ASSERT_TRUE(
      pair.run_until([&] { return pair.server.connection && pair.server.connection->is_finished(); }));
  EXPECT_EQ(pair.server.connection->error(), ConnectionError::kReset);
  ASSERT_TRUE(pair.run_until([&] { return pair.client.connection->is_finished(); }, 200s));
}

TEST(Fastclose, WithAWrongKeyIsIgnored) {
  Pair pair(2);
  int left = 3;
  pair.network.middleboxes = {[&](size_t, Direction d, Segment& s) {
    if (d == Direction::kToClient && s.payload_size() == 0 && !s.flags.syn &&
        s.options.encoded_size() <= 28 && left > 0) {
      --left;
      s.options.mptcp.push_back(wire::MpFastclose{12345});
    }
    return true;
  }};
  ASSERT_TRUE(exchange(pair, 300'000, 0));
  EXPECT_EQ(left, 0);
  EXPECT_EQ(pair.server.received, 300'000u);
  EXPECT_EQ(pair.server.connection->error(), ConnectionError::kNone);
}

}  // namespace
}  // namespace braid::mptcp
