#include "service/connection_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mptcp/testing/middleboxes.h"
#include "mptcp/testing/pair.h"
#include "service/sentences.h"

namespace braid::service {
namespace {

using mptcp::Decision;
using mptcp::testing::Pair;
using testing::Contains;
using testing::HasSubstr;
using Kind = Decision::Kind;
using State = ConnectionHistory::State;

std::vector<std::string> sentences(const ConnectionHistory& history) {
  std::vector<std::string> out;
  for (const HistoryEntry* entry : history.entries()) out.push_back(sentence(entry->decision));
  return out;
}
std::vector<Kind> kinds(const ConnectionHistory& history) {
  std::vector<Kind> out;
  for (const HistoryEntry* entry : history.entries()) out.push_back(entry->decision.kind);
  return out;
}

// ---- with real connections, on a virtual clock

TEST(ConnectionHistory, TellsOfAPathThatWasCutAndCameBack) {
  ConnectionHistories histories({}, nullptr);
  Pair pair(1, {{.delay = 10ms, .rate_bytes_per_second = 1'000'000},
                {.delay = 20ms, .rate_bytes_per_second = 1'000'000}});
  pair.client.environment.decisions = &histories;
  pair.add_client_endpoints();
  pair.client.to_send = 200'000'000;
  pair.connect();
  ASSERT_TRUE(
      pair.run_until([&] { return pair.subflows(pair.client) == 2 && pair.server.received > 1'000'000; }));
  pair.cut(0);
  pair.run_for(3s);
  pair.heal(0);
  pair.run_for(3s);
  const auto all = histories.all(pair.now);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0]->state, State::kOpen);
  EXPECT_TRUE(all[0]->is_multipath);
  EXPECT_EQ(all[0]->token, pair.client.connection->local_token());
  const auto text = sentences(*all[0]);
  EXPECT_THAT(text, Contains(HasSubstr("Connected: 192.0.2.1:33000 -> 192.0.2.2:80")));
  EXPECT_THAT(text, Contains(HasSubstr("Asked the peer for path 1 (198.51.100.1 -> ")));
  EXPECT_THAT(text, Contains(HasSubstr("Path 1 (198.51.100.1 -> 192.0.2.2:80) is up")));
  EXPECT_THAT(text, Contains(HasSubstr("Path 0 (192.0.2.1 -> 192.0.2.2:80) is silent")));
  EXPECT_THAT(text, Contains(HasSubstr("Path 0 (192.0.2.1 -> 192.0.2.2:80) answers again")));
  Time last{};
  for (const HistoryEntry* entry : all[0]->entries()) {
    EXPECT_GE(entry->at, last);
    last = entry->at;
  }
}

TEST(ConnectionHistory, TellsWhyItIsPlainTcpAndWhichSegmentLedToIt) {
  ConnectionHistories histories({}, nullptr);
  Pair pair(2);
  pair.client.environment.decisions = &histories;
  pair.network.middleboxes = {mptcp::testing::strip([](auto, const auto&) { return true; })};
  pair.connect();
  pair.client.to_send = 1000;
  ASSERT_TRUE(pair.run_until([&] { return pair.server.received == 1000; }));
  const auto all = histories.all(pair.now);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_FALSE(all[0]->is_multipath);
  EXPECT_THAT(sentences(*all[0]),
              Contains(testing::AllOf(HasSubstr("It is plain TCP from here on: the peer did not"),
                                      HasSubstr("led to it: SYN/ACK from 192.0.2.2:80, "))));
}

TEST(ConnectionHistory, TellsOfAJoinThatThePeerRefusedAndOfItsReason) {
  ConnectionHistories client({}, nullptr), server({}, nullptr);
  Pair pair(3, {{}, {}});
  pair.client.environment.decisions = &client;
  pair.server.environment.decisions = &server;
  pair.server.environment.paths.limits.subflows = 0;
  pair.add_client_endpoints();
  pair.client.to_send = 1000;
  pair.connect();
  ASSERT_TRUE(pair.run_until([&] { return !pair.refused_joins.empty(); }));
  EXPECT_THAT(
      sentences(*server.all(pair.now).at(0)),
      Contains(HasSubstr("Refused a path that the peer asked for from 198.51.100.1: the limit of subflows")));
}

TEST(ConnectionHistory, TellsThatThePeerDeniesJoinsAtItsFirstAddress) {
  ConnectionHistories histories({}, nullptr);
  Pair pair(4, {{}, {}});
  pair.client.environment.decisions = &histories;
  pair.server.config.deny_join_initial = true;
  pair.add_client_endpoints();
  pair.client.to_send = 1000;
  pair.connect();
  ASSERT_TRUE(pair.run_until([&] { return pair.is_multipath(); }));
  const auto text = sentences(*histories.all(pair.now).at(0));
  EXPECT_THAT(text, Contains(HasSubstr("it set deny-join")));
  EXPECT_THAT(text,
              Contains(HasSubstr("No further path is opened: the peer takes no joins at its first address")));
}

TEST(ConnectionHistory, AFailedConnectionIsKeptOfTheClientAndNotOfTheServer) {
  ConnectionHistories client({}, nullptr), server({}, nullptr);
  Pair pair(5);
  pair.client.environment.decisions = &client;
  pair.server.environment.decisions = &server;
  pair.client.connection = mptcp::Connection::connect(
      pair.client.config, pair.client.environment,
      {{mptcp::testing::client_address(0), 33'000}, {mptcp::testing::server_address(0), 80}}, pair.now);
  // The server has the SYN, and its answer is lost, as a port scanner would have it.
  pair.network.middleboxes = {mptcp::testing::lose(mptcp::testing::to_client)};
  pair.run_for(300s);
  const auto all = client.all(pair.now);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0]->state, State::kFailed);
  EXPECT_THAT(sentences(*all[0]),
              Contains(HasSubstr("The connection failed: no path brought an answer in time")));
  EXPECT_EQ(server.size(), 0u);
}

// ---- limits, with decisions made up

class Limits : public testing::Test {
 protected:
  mptcp::Connection& connection(uint16_t port) {
    connections_.push_back(mptcp::Connection::connect(
        {}, environment_,
        {{mptcp::testing::client_address(0), port}, {mptcp::testing::server_address(0), 80}}, now));
    return *connections_.back();
  }
  static Decision learned(uint8_t id) {
    return {.kind = Kind::kAddressLearned, .amount = id, .address = mptcp::testing::server_address(1)};
  }
  Time now{1000s};

 private:
  mptcp::testing::TestEnvironment environment_{1, {mptcp::testing::client_address(0)}};
  std::vector<std::unique_ptr<mptcp::Connection>> connections_;
};

TEST_F(Limits, OfManyDecisionsTheFirstAndTheLastAreKept) {
  ConnectionHistories histories({.decisions = 8}, nullptr);
  auto& one = connection(1);
  for (uint8_t id = 1; id <= 100; ++id) histories.on_decision(one, learned(id), now += 1ms);
  const ConnectionHistory& history = *histories.all(now).at(0);
  std::vector<uint64_t> ids;
  for (const HistoryEntry* entry : history.entries()) ids.push_back(entry->decision.amount);
  EXPECT_THAT(ids, testing::ElementsAre(1, 2, 95, 96, 97, 98, 99, 100));
  EXPECT_EQ(history.left_out, 92u);
  EXPECT_EQ(history.first_count(), 2u);
}

TEST_F(Limits, WhatRepeatsItselfIsOneEntry) {
  ConnectionHistories histories({}, nullptr);
  auto& one = connection(1);
  histories.on_decision(one, {.kind = Kind::kOpened, .why = "by us"}, now);
  for (int i = 0; i < 1000; ++i) {
    histories.on_decision(one, {.kind = Kind::kReinjected, .why = "the window is blocked", .amount = 10},
                          now += 1ms);
    histories.on_decision(one, {.kind = Kind::kPenalised, .subflow = 1, .why = "it blocks the window"}, now);
  }
  histories.on_decision(one, {.kind = Kind::kPenalised, .subflow = 2, .why = "it blocks the window"}, now);
  const ConnectionHistory& history = *histories.all(now).at(0);
  EXPECT_THAT(kinds(history),
              testing::ElementsAre(Kind::kOpened, Kind::kReinjected, Kind::kPenalised, Kind::kPenalised));
  const HistoryEntry& reinjected = *history.entries()[1];
  EXPECT_EQ(reinjected.count, 1000u);
  EXPECT_EQ(reinjected.decision.amount, 10'000u);
  EXPECT_EQ(reinjected.last_at - reinjected.at, Duration(999ms));
}

TEST_F(Limits, AnAttemptsEndStandsAfterItsBeginning) {
  ConnectionHistories histories({}, nullptr);
  auto& one = connection(1);
  const Decision asked{.kind = Kind::kSubflowOpened, .subflow = 2};
  const Decision failed{.kind = Kind::kSubflowEnded, .subflow = 2, .why = "refused"};
  const Decision silent{.kind = Kind::kPathStalled, .subflow = 1};
  const Decision doubted{.kind = Kind::kPathDoubted, .subflow = 1};
  for (const Decision& d : {asked, silent, failed, doubted, asked, failed, asked, failed, asked, failed})
    histories.on_decision(one, d, now += 1ms);
  EXPECT_THAT(kinds(*histories.all(now).at(0)),
              testing::ElementsAre(Kind::kSubflowOpened, Kind::kPathStalled, Kind::kSubflowEnded,
                                   Kind::kPathDoubted, Kind::kSubflowOpened, Kind::kSubflowEnded));
  EXPECT_EQ(histories.all(now).at(0)->entries()[5]->count, 3u);
}

TEST_F(Limits, ReasonsAreCopied) {
  ConnectionHistories histories({}, nullptr);
  auto& one = connection(1);
  {
    std::string name = "a-scheduler-of-a-plug-in", packet = "the segment that led to it, in some words";
    histories.on_decision(one, {.kind = Kind::kSchedulerChanged, .why = name}, now);
    histories.on_decision(one, {.kind = Kind::kFellBack, .why = "disabled", .packet = packet}, now);
    name.assign(name.size(), 'x');
    packet.assign(packet.size(), 'x');
  }
  const auto text = sentences(*histories.all(now).at(0));
  EXPECT_THAT(text[0], HasSubstr("a-scheduler-of-a-plug-in"));
  EXPECT_THAT(text[1], HasSubstr("the segment that led to it, in some words"));
}

TEST_F(Limits, MemoryIsBoundedAndTheOldestGoFirst) {
  constexpr uint64_t kMemory = 200'000;
  ConnectionHistories histories({.memory_bytes = kMemory}, nullptr);
  uint64_t most = 0;
  for (uint16_t port = 1; port <= 500; ++port) {
    auto& one = connection(port);
    for (uint8_t id = 1; id <= 20; ++id) {
      histories.on_decision(one, learned(id), now += 1ms);
      most = std::max(most, histories.memory_bytes());
    }
    if (port % 2 == 0) histories.on_decision(one, {.kind = Kind::kClosed}, now);
  }
  EXPECT_LE(most, kMemory);
  const auto all = histories.all(now);
  EXPECT_GT(all.size(), 5u);
  EXPECT_LT(all.size(), 100u);
  EXPECT_EQ(all.back()->ends.local.port, 500);
}

TEST_F(Limits, WhatItCountsIsWhatItHolds) {
  ConnectionHistories histories({.decisions = 8, .closed_connections = 0}, nullptr);
  const std::string packet(200, 'p');
  for (uint16_t port = 1; port <= 50; ++port) {
    auto& one = connection(port);
    for (int i = 0; i < 40; ++i)
      histories.on_decision(one, {.kind = Kind::kFellBack, .why = "disabled", .packet = packet}, now);
    EXPECT_LT(histories.memory_bytes(), 8u * 1000);  // eight of them, and not all 40
    histories.on_decision(one, {.kind = Kind::kClosed}, now);
  }
  EXPECT_EQ(histories.size(), 0u);
  EXPECT_EQ(histories.memory_bytes(), 0u);
}

TEST_F(Limits, ClosedOnesAreKeptForATimeAndInANumber) {
  ConnectionHistories histories({.closed_connections = 3, .closed_for = 60s}, nullptr);
  for (uint16_t port = 1; port <= 5; ++port) {
    auto& one = connection(port);
    histories.on_decision(one, {.kind = Kind::kOpened, .why = "by us", .tuple = {one.local(), one.remote()}},
                          now);
    histories.on_decision(one, {.kind = Kind::kClosed}, now += 10s);
    // What follows the end belongs to it.
    histories.on_decision(one, {.kind = Kind::kSubflowEnded, .subflow = 0, .why = "finished", .amount = 1},
                          now);
  }
  auto& open = connection(6);
  histories.on_decision(open, {.kind = Kind::kOpened, .why = "by us", .tuple = {open.local(), open.remote()}},
                        now);
  ASSERT_EQ(histories.all(now).size(), 4u);
  EXPECT_EQ(histories.all(now)[0]->ends.local.port, 3);
  EXPECT_EQ(histories.all(now)[0]->entries().size(), 3u);
  EXPECT_EQ(histories.all(now += 50s).size(), 3u);
  ASSERT_EQ(histories.all(now += 60s).size(), 1u);
  EXPECT_EQ(histories.all(now)[0]->ends.local.port, 6);
}

TEST_F(Limits, OneThatWasForgottenBeginsAgainAndSaysSo) {
  ConnectionHistories histories({.memory_bytes = 20'000}, nullptr);
  auto& first = connection(1);
  histories.on_decision(first, learned(1), now);
  for (uint16_t port = 2; port <= 100; ++port) histories.on_decision(connection(port), learned(1), now);
  EXPECT_EQ(histories.find(1), nullptr);
  histories.on_decision(first, learned(2), now);
  EXPECT_TRUE(histories.all(now).back()->has_forgotten);
  EXPECT_EQ(histories.all(now).back()->ends.local.port, 1);
}

TEST_F(Limits, WithoutMemoryNothingIsKept) {
  ConnectionHistories histories({.memory_bytes = 0}, nullptr);
  histories.on_decision(connection(1), learned(1), now);
  EXPECT_EQ(histories.size(), 0u);
}

}  // namespace
}  // namespace braid::service
