// The first SYN over several of the client's addresses; idle paths; when further paths are opened.
#include <gtest/gtest.h>

#include <array>

#include "mptcp/testing/pair.h"

namespace braid::mptcp {
namespace {

using namespace testing;

class Race : public ::testing::Test {
 protected:
  Race() : pair(1, {PathOptions{.delay = 10ms}, PathOptions{.delay = 10ms}}) { pair.add_client_endpoints(); }
  bool connects_within(Duration limit) {
    pair.connect();
    return pair.run_until([&] { return pair.client.connection->is_established(); }, limit);
  }
  Pair pair;
};

TEST_F(Race, ADeadFirstPathCostsARaceDelay) {
  pair.cut(0);
  ASSERT_TRUE(connects_within(pair.client.config.race_delay + 30ms));
  EXPECT_EQ(pair.client.connection->local().address, client_address(1));
  ASSERT_TRUE(exchange(pair, 100'000, 100'000));
  EXPECT_EQ(pair.server.received, 100'000u);
  EXPECT_EQ(pair.of(pair.client).fallback_reason(), FallbackReason::kNone);
}

TEST_F(Race, TheOtherPathJoinsWhenItComesBack) {
  pair.client.environment.paths.endpoints.push_back(
      {.id = 9, .address = client_address(0), .interface = {}, .is_subflow = true});
  pair.cut(0);
  ASSERT_TRUE(connects_within(1s));
  pair.client.to_send = 1000;
  pair.run_for(2s);
  pair.heal(0);
  EXPECT_TRUE(pair.run_until([&] { return pair.subflows(pair.server) == 2; }, 65s));
}

TEST_F(Race, AnAnswerInTimeMakesNone) {
  ASSERT_TRUE(connects_within(1s));
  pair.run_for(1s);
  EXPECT_EQ(pair.client.connection->local().address, client_address(0));
  EXPECT_EQ(pair.network.paths[1].bytes[0], 0u);
}

TEST_F(Race, ItCanBeOff) {
  pair.client.config.race_delay = Duration{0};
  pair.cut(0);
  EXPECT_FALSE(connects_within(10s));
}

TEST_F(Race, PlainTcpRacesToo) {
  pair.client.config.is_multipath = false;
  pair.cut(0);
  ASSERT_TRUE(connects_within(1s));
  ASSERT_TRUE(exchange(pair, 10'000, 10'000));
}

TEST_F(Race, WithNowhereElseToGoItWaits) {
  pair.client.environment.paths.endpoints.clear();
  pair.cut(0);
  EXPECT_FALSE(connects_within(2s));
  pair.heal(0);
  EXPECT_TRUE(pair.run_until([&] { return pair.client.connection->is_established(); }, 5s));
}

/// The first path is slower than the delay: the second answers first, and the server forgets what the first
/// SYN began, since the client's host resets it.
TEST_F(Race, WhoLosesIsResetWithoutHarm) {
  Pair slow(2, {PathOptions{.delay = 400ms}, PathOptions{.delay = 10ms}});
  slow.add_client_endpoints();
  // This server has one place: it takes the first SYN that comes, the second path's.
  slow.connect();
  ASSERT_TRUE(slow.run_until([&] { return slow.client.connection->is_established(); }, 1s));
  EXPECT_EQ(slow.client.connection->local().address, client_address(1));
  ASSERT_TRUE(exchange(slow, 100'000, 100'000));
  EXPECT_EQ(slow.client.received, 100'000u);
  EXPECT_EQ(slow.client.connection->error(), ConnectionError::kNone);
}

TEST_F(Race, ARefusalIsBelievedAfterAWhile) {
  pair.cut(0);
  pair.is_listening = false;
  pair.connect();
  ASSERT_TRUE(pair.run_until([&] { return pair.client.connection->error() != ConnectionError::kNone; }, 4s));
  EXPECT_EQ(pair.client.connection->error(), ConnectionError::kRefused);
}

TEST_F(Race, WithoutAnyAnswerItTimesOut) {
  pair.cut(0);
  pair.cut(1);
  pair.connect();
  ASSERT_TRUE(
      pair.run_until([&] { return pair.client.connection->error() != ConnectionError::kNone; }, 300s));
  EXPECT_EQ(pair.client.connection->error(), ConnectionError::kTimedOut);
}

// ---- idle paths

class IdlePaths : public Race {
 protected:
  void open() {
    pair.client.to_send = 1;
    ASSERT_TRUE(connects_within(1s));
    ASSERT_TRUE(pair.run_until([&] { return pair.subflows(pair.server) == 2; }, 5s));
    pair.run_for(1s);
  }
};

TEST_F(IdlePaths, ADeadOneIsFoundAndBuiltAgainBeforeItIsNeeded) {
  open();
  pair.cut(1);
  EXPECT_TRUE(pair.run_until([&] { return pair.subflows(pair.client) == 1; }, 40s));
  pair.heal(1);
  EXPECT_TRUE(pair.run_until([&] { return pair.subflows(pair.client) == 2; }, 65s));
}

TEST_F(IdlePaths, TheLastOneIsLeftAlone) {
  open();
  pair.cut(0);
  pair.cut(1);
  pair.run_for(10min);
  EXPECT_EQ(pair.subflows(pair.client), 1u);
  pair.heal(0);
  pair.heal(1);
  pair.run_for(2min);
  ASSERT_TRUE(exchange(pair, 50'000, 50'000));
  EXPECT_EQ(pair.server.received, 50'000u);
}

TEST_F(IdlePaths, CostLittle) {
  open();
  pair.run_for(1s);
  const uint64_t before = pair.network.paths[0].bytes[0] + pair.network.paths[1].bytes[0];
  pair.run_for(10min);
  // Two paths, a question and an answer each, twice a minute at most from each side.
  EXPECT_LT(pair.network.paths[0].bytes[0] + pair.network.paths[1].bytes[0] - before, 2u * 20 * 3 * 100);
  EXPECT_EQ(pair.subflows(pair.client), 2u);
}

TEST_F(IdlePaths, TheApplicationsOwnKeepaliveComesBackWithOnePath) {
  open();
  pair.client.connection->set_keepalive(100s, 1s, 2, pair.now);
  pair.cut(1);
  ASSERT_TRUE(pair.run_until([&] { return pair.subflows(pair.client) == 1; }, 40s));
  pair.cut(0);
  pair.run_for(60s);
  EXPECT_EQ(pair.subflows(pair.client), 1u);
  EXPECT_TRUE(pair.run_until([&] { return pair.subflows(pair.client) == 0; }, 60s));
}

// ---- when further paths are opened

class OpeningPaths : public Race {
 protected:
  OpeningPaths() {
    pair.client.config.open_paths = {.after_bytes = 100'000, .after_age = 5s, .after_slow_start = false};
  }
  void send(uint64_t bytes) {
    pair.client.to_send = bytes;
    ASSERT_TRUE(connects_within(1s));
    pair.run_for(1s);
  }
  size_t paths() { return pair.subflows(pair.client); }
};

TEST_F(OpeningPaths, AShortFlowPaysNothing) {
  send(50'000);
  EXPECT_EQ(paths(), 1u);
  EXPECT_EQ(pair.network.paths[1].bytes[0], 0u);
}

TEST_F(OpeningPaths, ALongOneHasThemAtOnce) {
  send(200'000);
  EXPECT_EQ(paths(), 2u);
}

TEST_F(OpeningPaths, WhatIsReceivedCountsToo) {
  pair.server.to_send = 200'000;
  send(1);
  EXPECT_EQ(paths(), 2u);
}

TEST_F(OpeningPaths, AnIdleOneHasThemWhenItIsOldEnough) {
  send(100);
  EXPECT_EQ(paths(), 1u);
  pair.run_for(5s);
  EXPECT_EQ(paths(), 2u);
}

TEST_F(OpeningPaths, ASilentPathIsReasonEnough) {
  send(100);
  pair.cut(0);
  pair.client.to_send = 200;
  pair.run_for(1500ms);
  EXPECT_EQ(pair.server.received, 200u);
}

TEST_F(OpeningPaths, PortsMayBeExempt) {
  pair.client.config.open_paths.at_once_ports = {kServerPort};
  send(100);
  EXPECT_EQ(paths(), 2u);
}

TEST_F(OpeningPaths, AFullPathIsReasonEnough) {
  pair.client.config.open_paths = {.after_bytes = 100'000'000, .after_age = 1000s, .after_slow_start = true};
  // Losses end slow start.
  pair.network.paths[0].options.rate_bytes_per_second = 100'000;
  pair.network.paths[0].options.queue_bytes = 20'000;
  pair.client.write_size = 2000;
  send(1'000'000);
  pair.run_for(3s);
  EXPECT_EQ(paths(), 2u);
}

// ---- options of sockets reach every subflow

TEST_F(Race, OptionsReachSubflowsThatAreOpenedLater) {
  pair.client.to_send = 1;
  ASSERT_TRUE(connects_within(1s));
  pair.client.connection->set_traffic_class(0x28);
  std::array<std::array<int, 2>, 2> seen{};
  pair.network.middleboxes.push_back([&](size_t path, Direction d, wire::OutgoingSegment& segment) {
    seen.at(path).at(static_cast<size_t>(d)) = segment.traffic_class;
    return true;
  });
  pair.client.to_send = 10'000;
  pair.run_for(2s);
  EXPECT_EQ(seen[0][0], 0x28);
  EXPECT_EQ(seen[1][0], 0x28);
  EXPECT_EQ(seen[0][1], 0) << "the peer's own";
}

TEST_F(Race, ALabelledSubflowKeepsItsLabel) {
  pair.client.environment.paths.endpoints.clear();
  pair.client.to_send = 1;
  ASSERT_TRUE(connects_within(1s));
  pair.run_for(100ms);
  ASSERT_TRUE(pair.client.connection
                  ->open_path({.local = {client_address(1), 0},
                               .remote = {server_address(0), kServerPort},
                               .label = uint8_t{12}},
                              pair.now)
                  .has_value());
  pair.run_for(1s);
  std::array<int, 2> seen{};
  pair.network.middleboxes.push_back([&](size_t path, Direction d, wire::OutgoingSegment& segment) {
    if (d == Direction::kToServer) seen.at(path) = segment.traffic_class;
    return true;
  });
  pair.client.connection->set_traffic_class(0x28);
  pair.client.to_send = 500'000;
  pair.run_for(2s);
  EXPECT_EQ(seen[0], 0x28);
  EXPECT_EQ(seen[1], 12 << 2);
}

}  // namespace
}  // namespace braid::mptcp
