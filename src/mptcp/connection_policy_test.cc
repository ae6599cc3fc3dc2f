// Schedulers and congestion controls in a connection: whatever they decide, the application's bytes arrive,
// each once; and they may change at any time.
#include <gtest/gtest.h>

#include <algorithm>

#include "mptcp/coupled/coupled.h"
#include "mptcp/testing/pair.h"

namespace braid::mptcp {
namespace {

using testing::exchange;
using testing::Pair;
using testing::PathOptions;

std::string as_test_name(std::string name) {
  std::erase(name, '-');
  return name;
}

void expect_exact(Pair& pair) {
  EXPECT_EQ(pair.server.received, pair.client.to_send);
  EXPECT_EQ(pair.client.received, pair.server.to_send);
  EXPECT_FALSE(pair.server.has_wrong_bytes);
  EXPECT_FALSE(pair.client.has_wrong_bytes);
  EXPECT_EQ(pair.client.connection->error(), ConnectionError::kNone);
  EXPECT_EQ(pair.server.connection->error(), ConnectionError::kNone);
}

std::vector<PathOptions> bad_paths(uint64_t seed) {
  SeededRandom random(seed * 331 + 17);
  std::vector<PathOptions> paths;
  for (uint64_t n = 2 + random.below(2); n > 0; --n) {
    PathOptions path;
    path.delay = Duration(1ms) * static_cast<int64_t>(1 + random.below(80));
    if (random.below(3) > 0) path.rate_bytes_per_second = 200'000 + random.below(3'000'000);
    if (random.below(2) == 0) path.loss = random.unit() * 0.04;
    if (random.below(3) == 0) path.reorder = random.unit() * 0.2;
    if (random.below(3) == 0) path.duplicate = random.unit() * 0.1;
    path.reorder_delay = Duration(1ms) * static_cast<int64_t>(1 + random.below(30));
    paths.push_back(path);
  }
  return paths;
}

class SchedulerOverBadPaths : public ::testing::TestWithParam<std::tuple<std::string, uint64_t>> {};

TEST_P(SchedulerOverBadPaths, IsByteExact) {
  const auto& [name, seed] = GetParam();
  Pair pair(seed, bad_paths(seed));
  pair.client.config.scheduler = pair.server.config.scheduler = name;
  pair.client.config.require_checksum = seed % 2 == 0;
  pair.add_client_endpoints();
  ASSERT_TRUE(exchange(pair, 700'000, 400'000, 600s));
  expect_exact(pair);
  EXPECT_EQ(pair.client.connection->fallback_reason(), FallbackReason::kNone);
  EXPECT_EQ(pair.client.connection->info().scheduler, name);
}
INSTANTIATE_TEST_SUITE_P(, SchedulerOverBadPaths,
                         ::testing::Combine(::testing::ValuesIn(scheduler_names()),
                                            ::testing::Range<uint64_t>(0, 12)),
                         [](const auto& of) {
                           return as_test_name(std::get<0>(of.param)) + "Seed" +
                                  std::to_string(std::get<1>(of.param));
                         });

class SchedulerChange : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {};

// There and back again many times, with losses, a path that is silent for a while, and data both ways.
TEST_P(SchedulerChange, WhileRunningLosesNothing) {
  const auto& [first, second] = GetParam();
  Pair pair(31, {{.delay = 10ms, .rate_bytes_per_second = 400'000, .loss = 0.02},
                 {.delay = 60ms, .rate_bytes_per_second = 300'000, .loss = 0.01}});
  pair.client.config.scheduler = pair.server.config.scheduler = first;
  pair.add_client_endpoints();
  pair.client.to_send = pair.server.to_send = 2'000'000;
  pair.client.shut_down_after = pair.server.shut_down_after = true;
  pair.connect();
  const auto is_over = [&] {
    return pair.client.is_end_of_stream() && pair.server.is_end_of_stream() &&
           pair.client.connection->is_finished() && pair.server.connection->is_finished();
  };
  for (int change = 0; change < 400 && !pair.run_until(is_over, 37ms); ++change) {
    const std::string& name = change % 2 == 0 ? second : first;
    EXPECT_TRUE(pair.client.connection->set_scheduler(name, pair.now));
    if (pair.server.connection != nullptr && change % 3 == 0) {
      EXPECT_TRUE(pair.server.connection->set_scheduler(name, pair.now));
    }
    if (change == 20) pair.cut(0);
    if (change == 40) pair.heal(0);
  }
  ASSERT_TRUE(pair.run_until(is_over, 300s));
  expect_exact(pair);
}
INSTANTIATE_TEST_SUITE_P(, SchedulerChange,
                         ::testing::Combine(::testing::ValuesIn(scheduler_names()),
                                            ::testing::ValuesIn(scheduler_names())),
                         [](const auto& of) {
                           return as_test_name(std::get<0>(of.param)) + "And" +
                                  as_test_name(std::get<1>(of.param));
                         });

TEST(ChangeOfScheduler, AnUnknownNameChangesNothing) {
  Pair pair(1);
  pair.connect();
  EXPECT_FALSE(pair.client.connection->set_scheduler("no-such", pair.now));
  EXPECT_EQ(pair.client.connection->info().scheduler, "lowest-rtt");
}

/// A small message at a time, answered when it has arrived: how long the slowest took.
Duration slowest_message(const std::string& scheduler, uint64_t seed) {
  Pair pair(seed, {{.delay = 20ms, .loss = 0.1}, {.delay = 25ms, .loss = 0.1}});
  pair.client.config.scheduler = scheduler;
  pair.add_client_endpoints();
  pair.client.to_send = 1000;
  pair.connect();
  EXPECT_TRUE(pair.run_until([&] { return pair.subflows(pair.client) == 2; }));
  pair.run_for(2s);
  Duration slowest{0};
  for (int i = 2; i <= 60; ++i) {
    const Time start = pair.now;
    pair.client.to_send = static_cast<uint64_t>(i) * 1000;
    EXPECT_TRUE(pair.run_until([&] { return pair.server.received == pair.client.to_send; }));
    slowest = std::max(slowest, pair.now - start);
    pair.run_for(300ms);
  }
  EXPECT_FALSE(pair.server.has_wrong_bytes);
  return slowest;
}

TEST(RedundantScheduler, ALostPacketCostsNothingWhileAnotherPathHasIt) {
  Duration redundant{0}, lowest_rtt{0};
  for (uint64_t seed = 0; seed < 5; ++seed) {
    redundant += slowest_message("redundant", seed);
    lowest_rtt += slowest_message("lowest-rtt", seed);
  }
  // 60 messages, a loss of 10 % on each path: both copies of one are lost in every second case or so.
  EXPECT_LT(redundant, lowest_rtt * 3 / 4);
}

TEST(RedundantScheduler, EveryPathCarriesEverythingWhenTheyAreAlike) {
  const PathOptions path{.delay = 10ms, .rate_bytes_per_second = 500'000, .queue_bytes = 64u << 10};
  Pair pair(5, {path, path});
  pair.client.config.scheduler = "redundant";
  pair.add_client_endpoints();
  pair.client.to_send = 3'000'000;
  pair.connect();
  ASSERT_TRUE(pair.run_until([&] { return pair.server.received == pair.client.to_send; }));
  const ConnectionInfo info = pair.client.connection->info();
  ASSERT_EQ(info.subflows.size(), 2u);
  for (const SubflowInfo& subflow : info.subflows) EXPECT_GT(subflow.data_sent_bytes, 2'300'000u);
  EXPECT_GT(info.reinjected_bytes, 1'600'000u);
  EXPECT_EQ(info.sent_bytes, 3'000'000u);
  EXPECT_FALSE(pair.server.has_wrong_bytes);
}

// New data do not wait for the slow path's copies, and what that one holds is bounded.
TEST(RedundantScheduler, ASlowPathNeitherHoldsUpNorFillsMemory) {
  Pair pair(6, {{.delay = 10ms, .rate_bytes_per_second = 2'000'000, .queue_bytes = 64u << 10},
                {.delay = 100ms, .rate_bytes_per_second = 50'000, .queue_bytes = 4u << 20}});
  pair.client.config.scheduler = "redundant";
  pair.client.config.autotune = pair.server.config.autotune = false;
  pair.client.config.send_buffer_bytes = pair.server.config.receive_buffer_bytes = 512u << 10;
  pair.add_client_endpoints();
  pair.client.to_send = 40'000'000;
  pair.connect();
  uint64_t most_memory = 0;
  ASSERT_TRUE(pair.run_until(
      [&] {
        most_memory = std::max(most_memory, pair.client.connection->memory_bytes());
        return pair.server.received == pair.client.to_send;
      },
      30s))
      << "20 s at the fast path's rate; received " << pair.server.received;
  EXPECT_FALSE(pair.server.has_wrong_bytes);
  // Each of the slow path's segments keeps a chunk of 64 KB, until that makes two buffers; and the buffer
  // itself.
  EXPECT_LT(most_memory, 3u * (512u << 10));
}

// What programs write in small parts fills chunks in part only: that is no reason to make no copies.
TEST(RedundantScheduler, BuffersThatHoldMoreThanTheirOctetsAreNoReasonToStop) {
  const PathOptions path{.delay = 10ms, .rate_bytes_per_second = 500'000, .queue_bytes = 64u << 10};
  Pair pair(11, {path, path});
  pair.client.config.scheduler = "redundant";
  pair.add_client_endpoints();
  pair.client.to_send = 20'000;
  pair.connect();
  ASSERT_TRUE(pair.run_until([&] { return pair.subflows(pair.client) == 2; }));
  pair.run_for(1s);
  ASSERT_EQ(pair.server.received, 20'000u);
  const ConnectionInfo before = pair.client.connection->info();
  // Slices of chunks of their own, a quarter full.
  constexpr size_t kSlice = 17'000;
  for (size_t sent = 0; sent < 2'000'000;) {
    if (pair.client.connection->send_room_bytes() == 0) pair.run_for(5ms);
    ChunkRef chunk = pair.client.environment.chunks().allocate(64u << 10);
    for (size_t i = 0; i < kSlice; ++i) chunk->data()[i] = testing::pattern(20'000 + sent + i, 2 * 11 + 1);
    ASSERT_TRUE(pair.client.connection->send(Slice(std::move(chunk), 0, kSlice), pair.now));
    sent += kSlice;
  }
  pair.run_for(10s);
  EXPECT_FALSE(pair.server.has_wrong_bytes);
  EXPECT_GT(pair.server.received, 2'000'000u);
  const ConnectionInfo after = pair.client.connection->info();
  for (size_t i = 0; i < 2; ++i)
    EXPECT_GT(after.subflows[i].data_sent_bytes - before.subflows[i].data_sent_bytes, 1'500'000u) << i;
}

TEST(RedundantScheduler, APathThatDiesIsNotMissed) {
  Pair pair(8, {{.delay = 20ms, .rate_bytes_per_second = 500'000},
                {.delay = 30ms, .rate_bytes_per_second = 500'000}});
  pair.client.config.scheduler = "redundant";
  pair.add_client_endpoints();
  pair.client.to_send = 20'000;
  pair.connect();
  ASSERT_TRUE(pair.run_until([&] { return pair.subflows(pair.client) == 2; }));
  pair.run_for(1s);
  pair.cut(0);
  const Time start = pair.now;
  pair.client.to_send += 50'000;
  ASSERT_TRUE(pair.run_until([&] { return pair.server.received == pair.client.to_send; }));
  EXPECT_LT(pair.now - start, 300ms) << "no timeout had to tell it";
  EXPECT_FALSE(pair.server.has_wrong_bytes);
}

TEST(RedundantScheduler, PlainTcpHasNobodyToRepeatTo) {
  Pair pair(2);
  pair.server.config.is_multipath = false;
  pair.client.config.scheduler = "redundant";
  ASSERT_TRUE(exchange(pair, 500'000, 500'000));
  expect_exact(pair);
  EXPECT_EQ(pair.client.connection->info().reinjected_bytes, 0u);
}

TEST(WeightedScheduler, RulesGoByAddress) {
  const PathOptions path{.delay = 10ms, .rate_bytes_per_second = 2'000'000};
  Pair pair(9, {path, path});
  pair.client.config.scheduler = "weighted";
  pair.client.config.scheduler_options.is_share_strict = true;
  pair.client.config.paths = {
      {.network = testing::client_address(1), .prefix_bits = 24, .policy = {.weight = 4}},
      {.policy = {.weight = 1}}};
  pair.add_client_endpoints();
  pair.client.to_send = 8'000'000;
  pair.connect();
  ASSERT_TRUE(pair.run_until([&] { return pair.server.received == pair.client.to_send; }));
  const ConnectionInfo info = pair.client.connection->info();
  ASSERT_EQ(info.subflows.size(), 2u);
  const double share = static_cast<double>(info.subflows[1].data_sent_bytes) / 8e6;
  EXPECT_NEAR(share, 0.8, 0.04);
}

TEST(WeightedScheduler, ABudgetIsKept) {
  const PathOptions path{.delay = 10ms, .rate_bytes_per_second = 1'000'000};
  Pair pair(10, {path, path});
  pair.client.config.scheduler = "weighted";
  pair.client.config.paths = {
      {.network = testing::client_address(1), .prefix_bits = 32, .policy = {.budget_bytes = 300'000}}};
  pair.add_client_endpoints();
  pair.client.to_send = 4'000'000;
  pair.connect();
  ASSERT_TRUE(pair.run_until([&] { return pair.server.received == pair.client.to_send; }));
  const ConnectionInfo info = pair.client.connection->info();
  ASSERT_EQ(info.subflows.size(), 2u);
  // Reinjections count, but they are not the scheduler's to refuse.
  EXPECT_LE(info.subflows[1].data_sent_bytes - info.subflows[1].reinjected_bytes, 300'000u);
  EXPECT_GT(info.subflows[1].data_sent_bytes, 300'000u - 1460u);
}

class CongestionControlChange : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {};

// Coupled to uncoupled and back, with losses and a path that comes and goes: no window breaks down or jumps.
TEST_P(CongestionControlChange, WhileRunningKeepsASaneWindow) {
  const auto& [first, second] = GetParam();
  Pair pair(17, {{.delay = 10ms, .rate_bytes_per_second = 400'000, .loss = 0.01},
                 {.delay = 40ms, .rate_bytes_per_second = 300'000, .loss = 0.01}});
  pair.client.config.congestion_control = first;
  pair.add_client_endpoints();
  pair.client.to_send = 1'500'000;
  pair.client.shut_down_after = pair.server.shut_down_after = true;
  pair.connect();
  const auto is_over = [&] {
    return pair.client.is_end_of_stream() && pair.server.is_end_of_stream() &&
           pair.client.connection->is_finished() && pair.server.connection->is_finished();
  };
  for (int change = 0; change < 400 && !pair.run_until(is_over, 61ms); ++change) {
    const ConnectionInfo before = pair.client.connection->info();
    const std::string& name = change % 2 == 0 ? second : first;
    ASSERT_TRUE(pair.client.connection->set_congestion_control(name, pair.now));
    const ConnectionInfo after = pair.client.connection->info();
    ASSERT_EQ(after.congestion_control, name);
    ASSERT_EQ(before.subflows.size(), after.subflows.size());
    for (size_t i = 0; i < after.subflows.size(); ++i) {
      EXPECT_EQ(after.subflows[i].congestion_control, name);
      EXPECT_EQ(after.subflows[i].cwnd_bytes, before.subflows[i].cwnd_bytes);
      EXPECT_EQ(after.subflows[i].ssthresh_bytes, before.subflows[i].ssthresh_bytes);
    }
    if (change == 15) pair.cut(1);
    if (change == 25) pair.heal(1);
  }
  ASSERT_TRUE(pair.run_until(is_over, 300s));
  expect_exact(pair);
}
INSTANTIATE_TEST_SUITE_P(, CongestionControlChange,
                         ::testing::Combine(::testing::ValuesIn(all_congestion_control_names()),
                                            ::testing::ValuesIn(all_congestion_control_names())),
                         [](const auto& of) {
                           return std::get<0>(of.param) + "And" + std::get<1>(of.param);
                         });

class EveryPolicy : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {};

TEST_P(EveryPolicy, WorksWithEveryOther) {
  const auto& [scheduler, congestion_control] = GetParam();
  Pair pair(23, {{.delay = 10ms, .rate_bytes_per_second = 600'000, .loss = 0.01},
                 {.delay = 70ms, .rate_bytes_per_second = 500'000},
                 {.delay = 30ms, .rate_bytes_per_second = 200'000, .queue_bytes = 16u << 10}});
  for (testing::Side* side : {&pair.client, &pair.server}) {
    side->config.scheduler = scheduler;
    side->config.congestion_control = congestion_control;
  }
  pair.add_client_endpoints();
  ASSERT_TRUE(exchange(pair, 900'000, 600'000, 300s));
  expect_exact(pair);
}
INSTANTIATE_TEST_SUITE_P(, EveryPolicy,
                         ::testing::Combine(::testing::ValuesIn(scheduler_names()),
                                            ::testing::ValuesIn(all_congestion_control_names())),
                         [](const auto& of) {
                           return as_test_name(std::get<0>(of.param)) + "With" + std::get<1>(of.param);
                         });

}  // namespace
}  // namespace braid::mptcp
