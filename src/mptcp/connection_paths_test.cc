// Paths that die, come back, lose their address; one subflow's end is not the connection's.
#include <gtest/gtest.h>

#include <array>

#include "mptcp/testing/middleboxes.h"
#include "mptcp/testing/pair.h"

namespace braid::mptcp {
namespace {

using namespace testing;

class Paths : public ::testing::Test {
 protected:
  static std::vector<PathOptions> two() {
    return {PathOptions{.delay = 10ms, .rate_bytes_per_second = 2'000'000, .queue_bytes = 100'000},
            PathOptions{.delay = 15ms, .rate_bytes_per_second = 2'000'000, .queue_bytes = 100'000}};
  }
  /// A middlebox that stops carrying a subflow and resets it towards both ends.
  static void reset_from_outside(Pair& pair, size_t path) {
    std::array<Segment, 2> last;
    pair.network.middleboxes = {on_path(path, [&](size_t, Direction d, Segment& s) {
      last[static_cast<size_t>(d)] = s;
      return false;
    })};
    pair.run_for(200ms);  // what was on its way arrives, and both ends say what they expect next
    pair.network.middleboxes.clear();
    for (const Direction d : {Direction::kToServer, Direction::kToClient}) {
      Segment reset;
      reset.tuple = last[static_cast<size_t>(d)].tuple;
      reset.seq = last[1 - static_cast<size_t>(d)].ack;
      reset.flags.rst = true;
      pair.inject(path, d, reset);
    }
  }
  void open(Pair& pair, size_t subflows = 2) {
    pair.add_client_endpoints();
    pair.client.to_send = 1;
    pair.connect();
    ASSERT_TRUE(pair.run_until([&] { return pair.subflows(pair.server) == subflows; }));
    pair.run_for(200ms);
  }
  /// The client's; the connection waits for another.
  void lose_both_addresses(Pair& pair) {
    pair.client.environment.local_addresses.clear();
    pair.client.connection->on_local_address_removed(client_address(0), pair.now);
    pair.client.connection->on_local_address_removed(client_address(1), pair.now);
    pair.run_for(10s);
    EXPECT_EQ(pair.subflows(pair.client), 0u);
    EXPECT_FALSE(pair.client.connection->is_finished());
  }
  void expect_exact(Pair& pair) {
    EXPECT_EQ(pair.server.received, pair.client.to_send);
    EXPECT_EQ(pair.client.received, pair.server.to_send);
    EXPECT_FALSE(pair.server.has_wrong_bytes || pair.client.has_wrong_bytes);
    EXPECT_EQ(pair.client.connection->error(), ConnectionError::kNone);
    EXPECT_EQ(pair.server.connection->error(), ConnectionError::kNone);
  }
};

TEST_F(Paths, SilentDeathCostsLessThanASecond) {
  for (const size_t dead : {0, 1}) {
    Pair pair(1, two());
    open(pair);
    pair.client.to_send = pair.server.to_send = 12'000'000;
    pair.run_for(1500ms);
    pair.cut(dead);
    const Time cut_at = pair.now;
    Duration longest{0};
    Time last = pair.now;
    uint64_t received = pair.server.received;
    while (pair.now < cut_at + 5s) {
      pair.run_for(10ms);
      if (pair.server.received > received) {
        longest = std::max<Duration>(longest, pair.now - last);
        last = pair.now;
        received = pair.server.received;
      }
    }
    // What has all come leaves no gap behind it.
    if (received < pair.client.to_send) longest = std::max<Duration>(longest, pair.now - last);
    EXPECT_LT(longest, 1s) << "path " << dead;
    ASSERT_TRUE(exchange(pair, 12'000'000, 12'000'000));
    expect_exact(pair);
  }
}

// The other path waited for the timeout of the dead one: 200 ms and its round trip at least.
TEST_F(Paths, OverdueAcksAreEnoughToTurnToTheOtherPath) {
  for (const size_t dead : {0, 1}) {
    Pair pair(1, two());
    open(pair);
    pair.client.to_send = 12'000'000;
    pair.run_for(1500ms);
    pair.cut(dead);
    Duration longest{0};
    Time last = pair.now;
    uint64_t received = pair.server.received;
    for (const Time end = pair.now + 2s; pair.now < end;) {
      pair.run_for(5ms);
      if (pair.server.received == received) continue;
      longest = std::max<Duration>(longest, pair.now - last);
      last = pair.now;
      received = pair.server.received;
    }
    EXPECT_LT(longest, 200ms) << "path " << dead;
    EXPECT_LT(pair.now - last, 200ms) << "path " << dead;
  }
}

/// Counts what a connection decides.
struct DecisionCount final : DecisionLog {
  void on_decision(const Connection&, const Decision& decision, Time) override {
    ++of[static_cast<size_t>(decision.kind)];
  }
  size_t operator[](Decision::Kind kind) const { return of[static_cast<size_t>(kind)]; }
  std::array<size_t, 32> of{};
};

// The last segment of a burst of an odd number is acknowledged when the peer has the next: that is no sign
// that a path is dead, but the path was left for it once a round trip, and then had everything at once.
TEST_F(Paths, ADelayedAckIsNoReasonForDoubt) {
  Pair pair(1, {PathOptions{.delay = 25ms}, PathOptions{.delay = 100ms}});
  DecisionCount decisions;
  pair.client.environment.decisions = &decisions;
  pair.client.config.no_delay = true;
  open(pair);
  for (int i = 0; i < 100; ++i) {
    pair.client.to_send += 20 * 1400 + 700;
    pair.run_for(38ms);
  }
  pair.run_for(1s);
  EXPECT_EQ(pair.server.received, pair.client.to_send);
  EXPECT_EQ(decisions[Decision::Kind::kPathDoubted], 0u);
}

// A path that has just been opened was taken out of slow start because the peer's window, still small, was
// full: it then took minutes to become what it could have been in a second.
TEST_F(Paths, ABlockedWindowDoesNotEndSlowStart) {
  Pair pair(1, {PathOptions{.delay = 100ms}, PathOptions{.delay = 20ms}});
  DecisionCount decisions;
  pair.client.environment.decisions = &decisions;
  pair.server.config.initial_receive_buffer_bytes = 48'000;
  pair.add_client_endpoints();
  pair.client.to_send = 2'000'000;
  pair.connect();
  ASSERT_TRUE(pair.run_until([&] { return pair.server.received == pair.client.to_send; }));
  EXPECT_GT(decisions[Decision::Kind::kReinjected], 0u);  // it was blocked
  ASSERT_EQ(pair.subflows(pair.client), 2u);
  for (const SubflowInfo& subflow : pair.client.connection->info().subflows)
    EXPECT_EQ(subflow.ssthresh_bytes, UINT64_MAX) << int{subflow.index};
}

// What a slow path held kept the window closed for the fast one: two paths carried less than the better
// alone.
TEST_F(Paths, ASlowPathDoesNotCloseASmallWindow) {
  Pair pair(1, {PathOptions{.delay = 10ms, .rate_bytes_per_second = 2'500'000, .queue_bytes = 50'000},
                PathOptions{.delay = 40ms, .rate_bytes_per_second = 125'000, .queue_bytes = 30'000}});
  pair.server.config.receive_buffer_bytes = 100'000;
  pair.server.config.initial_receive_buffer_bytes = 100'000;
  open(pair);
  pair.client.to_send = 100'000'000;
  pair.run_for(2s);
  const uint64_t before = pair.server.received;
  pair.run_for(4s);
  EXPECT_GT(pair.server.received - before, 9'000'000u);  // of 10
}

TEST_F(Paths, ReturnedPathIsUsedAgainWithinTwoSeconds) {
  Pair pair(2, two());
  open(pair);
  pair.client.to_send = 200'000'000;
  pair.run_for(1s);
  pair.cut(1);
  pair.run_for(10s);
  pair.heal(1);
  const uint64_t before = pair.network.paths[1].bytes[0];
  pair.run_for(2s);
  EXPECT_GT(pair.network.paths[1].bytes[0] - before, 500'000u);
}

TEST_F(Paths, BothPathsDeadForAWhile) {
  Pair pair(3, two());
  open(pair);
  pair.client.to_send = pair.server.to_send = 3'000'000;
  pair.run_for(300ms);
  pair.cut(0);
  pair.cut(1);
  pair.run_for(8s);
  pair.heal(1);
  ASSERT_TRUE(exchange(pair, 3'000'000, 3'000'000));
  expect_exact(pair);
}

TEST_F(Paths, FlappingPaths) {
  Pair pair(4, two());
  open(pair);
  pair.client.to_send = pair.server.to_send = 8'000'000;
  for (int i = 0; i < 12; ++i) {
    pair.cut(i % 2);
    pair.run_for(700ms);
    pair.heal(i % 2);
    pair.run_for(300ms);
  }
  ASSERT_TRUE(exchange(pair, 8'000'000, 8'000'000));
  expect_exact(pair);
}

TEST_F(Paths, AddressGoneAndAnotherTakesOver) {
  Pair pair(5, two());
  open(pair);
  pair.client.to_send = pair.server.to_send = 5'000'000;
  pair.run_for(500ms);
  auto& addresses = pair.client.environment.local_addresses;
  addresses.erase(addresses.begin());
  pair.client.connection->on_local_address_removed(client_address(0), pair.now);
  pair.run_for(500ms);
  EXPECT_EQ(pair.subflows(pair.client), 1u);
  EXPECT_EQ(pair.subflows(pair.server), 1u);  // REMOVE_ADDR said so
  ASSERT_TRUE(exchange(pair, 5'000'000, 5'000'000));
  expect_exact(pair);
}

TEST_F(Paths, KeepalivesDoNotEndAConnectionWhoseAddressesGo) {
  Pair pair(10, two());
  open(pair);
  pair.client.connection->set_keepalive(7200s, 75s, 9, pair.now);  // as ssh has it
  pair.run_for(1s);
  lose_both_addresses(pair);
}

TEST_F(Paths, BreakBeforeMake) {
  Pair pair(6, two());
  open(pair);
  pair.client.to_send = pair.server.to_send = 2'000'000;
  pair.run_for(200ms);
  // Both addresses vanish, one comes back later.
  lose_both_addresses(pair);
  pair.client.environment.local_addresses = {client_address(1)};
  pair.client.connection->on_endpoint_added(pair.client.environment.paths.endpoints[0], pair.now);
  ASSERT_TRUE(exchange(pair, 2'000'000, 2'000'000));
  expect_exact(pair);
}

TEST_F(Paths, NobodyComesBack) {
  Pair pair(7, two());
  pair.client.config.subflow.retransmission_attempts = pair.server.config.subflow.retransmission_attempts = 5;
  open(pair);
  pair.client.to_send = 2'000'000;
  pair.run_for(200ms);
  pair.cut(0);
  pair.cut(1);
  ASSERT_TRUE(pair.run_until([&] { return pair.client.connection->is_finished(); }, 400s));
  EXPECT_EQ(pair.client.connection->error(), ConnectionError::kTimedOut);
  EXPECT_TRUE(pair.client.saw(ConnectionEvent::kFailed));
}

/// The wait for a new path is for who has not said how long to wait.
TEST_F(Paths, UserTimeoutIsTheConnectionsWhenTheLastPathIsSilent) {
  Pair pair(8, two());
  open(pair);
  pair.client.connection->set_user_timeout(5s, pair.now);
  pair.client.to_send = 2'000'000;
  pair.run_for(200ms);
  pair.cut(0);
  pair.run_for(20s);
  EXPECT_FALSE(pair.client.connection->is_finished()) << "the other path carries everything";
  pair.client.to_send = 4'000'000;
  pair.run_for(100ms);
  pair.cut(1);
  pair.run_for(15s);
  EXPECT_TRUE(pair.client.connection->is_finished());
  EXPECT_EQ(pair.client.connection->error(), ConnectionError::kTimedOut);
}

TEST_F(Paths, KeepalivesThatTheApplicationAskedForEndAnIdleConnection) {
  Pair pair(9, two());
  open(pair);
  pair.client.connection->set_keepalive(5s, 1s, 3, pair.now);
  pair.run_for(30s);
  EXPECT_FALSE(pair.client.connection->is_finished());
  pair.cut(0);
  pair.cut(1);
  pair.run_for(20s);
  EXPECT_TRUE(pair.client.connection->is_finished());
  EXPECT_EQ(pair.client.connection->error(), ConnectionError::kTimedOut);
}

TEST_F(Paths, ResetOfOneSubflowLeavesTheOther) {
  for (const size_t dead : {0, 1}) {
    Pair pair(8, two());
    open(pair);
    pair.client.to_send = pair.server.to_send = 3'000'000;
    pair.run_for(300ms);
    reset_from_outside(pair, dead);
    ASSERT_TRUE(exchange(pair, 3'000'000, 3'000'000));
    expect_exact(pair);
  }
}

TEST_F(Paths, ResetOfTheOnlySubflowIsTheConnections) {
  Pair pair(9, {two()[0]});
  pair.connect();
  pair.client.to_send = pair.server.to_send = 3'000'000;
  pair.run_for(300ms);
  reset_from_outside(pair, 0);
  ASSERT_TRUE(pair.run_until(
      [&] { return pair.client.connection->is_finished() && pair.server.connection->is_finished(); }));
  EXPECT_EQ(pair.client.connection->error(), ConnectionError::kReset);
  EXPECT_EQ(pair.server.connection->error(), ConnectionError::kReset);
}

TEST_F(Paths, PriorityChangesInMidConnection) {
  Pair pair(10, two());
  open(pair);
  pair.client.connection->set_backup(1, true);
  pair.run_for(200ms);
  EXPECT_EQ(pair.server.counter(Counter::kMpPrioRx), 1u);
  EXPECT_TRUE(pair.server.connection->info().subflows[1].is_backup);
  uint64_t before = pair.network.paths[1].bytes[1];
  pair.server.to_send = 2'000'000;
  ASSERT_TRUE(pair.run_until([&] { return pair.client.received == 2'000'000; }));
  EXPECT_LT(pair.network.paths[1].bytes[1] - before, 2'000u);
  pair.client.connection->set_backup(1, false);
  pair.run_for(200ms);
  before = pair.network.paths[1].bytes[1];
  pair.server.to_send = 6'000'000;
  ASSERT_TRUE(pair.run_until([&] { return pair.client.received == 6'000'000; }));
  EXPECT_GT(pair.network.paths[1].bytes[1] - before, 500'000u);
}

}  // namespace
}  // namespace braid::mptcp
