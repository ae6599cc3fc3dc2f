// Byte-exact transfer over one to three paths, with every trouble a path can have.
#include <gtest/gtest.h>

#include "mptcp/testing/pair.h"

namespace braid::mptcp {
namespace {

using testing::Direction;
using testing::exchange;
using testing::Pair;
using testing::PathOptions;

void expect_exact(Pair& pair) {
  EXPECT_EQ(pair.server.received, pair.client.to_send);
  EXPECT_EQ(pair.client.received, pair.server.to_send);
  EXPECT_FALSE(pair.server.has_wrong_bytes);
  EXPECT_FALSE(pair.client.has_wrong_bytes);
  EXPECT_EQ(pair.client.connection->error(), ConnectionError::kNone);
  EXPECT_EQ(pair.server.connection->error(), ConnectionError::kNone);
}

TEST(Transfer, OnePathBothWays) {
  Pair pair(1);
  ASSERT_TRUE(exchange(pair, 3'000'000, 2'000'000));
  expect_exact(pair);
}

TEST(Transfer, PlainTcp) {
  Pair pair(1);
  pair.client.config.is_multipath = false;
  ASSERT_TRUE(exchange(pair, 3'000'000, 2'000'000));
  expect_exact(pair);
}

/// What a seed makes of paths and options.
struct Case {
  std::vector<PathOptions> paths;
  bool has_checksum = false;
  uint64_t client_bytes = 0, server_bytes = 0;
};

Case make_case(uint64_t seed) {
  SeededRandom random(seed * 977 + 5);
  Case made;
  const size_t count = 1 + random.below(3);
  for (size_t i = 0; i < count; ++i) {
    PathOptions path;
    path.delay = Duration(1ms) * static_cast<int64_t>(1 + random.below(60));
    if (random.below(2) == 0) path.rate_bytes_per_second = 200'000 + random.below(4'000'000);
    if (random.below(2) == 0) path.loss = random.unit() * 0.04;
    if (random.below(3) == 0) path.reorder = random.unit() * 0.2;
    if (random.below(3) == 0) path.duplicate = random.unit() * 0.1;
    path.reorder_delay = Duration(1ms) * static_cast<int64_t>(1 + random.below(30));
    made.paths.push_back(path);
  }
  made.has_checksum = random.below(2) == 0;
  made.client_bytes = random.below(4) == 0 ? random.below(3000) : random.below(1'500'000);
  made.server_bytes = random.below(4) == 0 ? 0 : random.below(1'500'000);
  return made;
}

class TransferOverBadPaths : public ::testing::TestWithParam<uint64_t> {};

TEST_P(TransferOverBadPaths, IsByteExact) {
  const Case made = make_case(GetParam());
  Pair pair(GetParam(), made.paths);
  pair.client.config.require_checksum = made.has_checksum;
  pair.add_client_endpoints();
  ASSERT_TRUE(exchange(pair, made.client_bytes, made.server_bytes, 600s))
      << "sent " << pair.client.sent << "/" << made.client_bytes << " got " << pair.server.received
      << "; sent " << pair.server.sent << "/" << made.server_bytes << " got " << pair.client.received;
  expect_exact(pair);
  EXPECT_EQ(pair.client.connection->fallback_reason(), FallbackReason::kNone);
}
INSTANTIATE_TEST_SUITE_P(Seeds, TransferOverBadPaths, ::testing::Range<uint64_t>(0, 200));

TEST(Transfer, TwoPathsAddUp) {
  const PathOptions path{.delay = 10ms, .rate_bytes_per_second = 1'250'000, .queue_bytes = 64u << 10};
  Pair pair(7, {path, path});
  pair.add_client_endpoints();
  pair.client.to_send = 1;
  pair.connect();
  ASSERT_TRUE(pair.run_until([&] { return pair.subflows(pair.server) == 2; }));
  const Time begin = pair.now;
  ASSERT_TRUE(exchange(pair, 10'000'000, 0));
  expect_exact(pair);
  const double seconds = std::chrono::duration<double>(pair.now - begin).count();
  // 2.5 MB/s less headers.
  EXPECT_LT(seconds, 10.0 / 2.5 * 1.25);
}

TEST(Transfer, UnequalPathsWithSmallBuffersAreNotSlowerThanTheBetterOne) {
  Pair pair(8, {PathOptions{.delay = 10ms, .rate_bytes_per_second = 1'000'000, .queue_bytes = 60'000},
                PathOptions{.delay = 150ms, .rate_bytes_per_second = 250'000, .queue_bytes = 250'000}});
  pair.add_client_endpoints();
  pair.server.config.receive_buffer_bytes = pair.server.config.initial_receive_buffer_bytes = 200'000;
  const Time begin = pair.now;
  ASSERT_TRUE(exchange(pair, 10'000'000, 0));
  expect_exact(pair);
  EXPECT_LT(std::chrono::duration<double>(pair.now - begin).count(), 10.0 * 1.15);
}

TEST(Transfer, TimestampsOff) {
  Pair pair(9, {PathOptions{.loss = 0.02}, PathOptions{.loss = 0.02}});
  pair.add_client_endpoints();
  pair.client.config.subflow.use_timestamps = false;
  ASSERT_TRUE(exchange(pair, 2'000'000, 2'000'000));
  expect_exact(pair);
}

TEST(Transfer, SackOff) {
  Pair pair(9, {PathOptions{.loss = 0.02}, PathOptions{.loss = 0.02}});
  pair.add_client_endpoints();
  pair.client.config.subflow.use_sack = false;
  ASSERT_TRUE(exchange(pair, 1'000'000, 1'000'000));
  expect_exact(pair);
}

TEST(Transfer, CoupledCongestionControl) {
  Pair pair(10, {PathOptions{.loss = 0.005}, PathOptions{.delay = 30ms, .loss = 0.005}});
  pair.add_client_endpoints();
  pair.client.config.congestion_control = pair.server.config.congestion_control = "lia";
  ASSERT_TRUE(exchange(pair, 3'000'000, 1'000'000));
  expect_exact(pair);
}

TEST(Transfer, SmallWritesAndSmallReads) {
  Pair pair(11, {PathOptions{}, PathOptions{.delay = 20ms}});
  pair.add_client_endpoints();
  pair.client.write_size = 13;
  pair.client.config.no_delay = true;
  pair.server.is_reading = false;
  pair.client.to_send = 200'000;
  pair.client.shut_down_after = pair.server.shut_down_after = true;
  pair.connect();
  for (int i = 0; i < 10'000 && !pair.server.is_end_of_stream(); ++i) {
    pair.run_for(1ms);
    pair.server.read(pair.now, 700);
  }
  ASSERT_TRUE(pair.run_until([&] { return pair.client.is_end_of_stream(); }));
  expect_exact(pair);
}

}  // namespace
}  // namespace braid::mptcp
