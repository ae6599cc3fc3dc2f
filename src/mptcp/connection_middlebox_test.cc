// What boxes on the way do to data: split, coalesce, rewrite, acknowledge on their own (NSDI 2012, 4.1;
// RFC 8684, 3.3.1 and 3.7).
#include <gtest/gtest.h>

#include <map>

#include "mptcp/testing/middleboxes.h"
#include "mptcp/testing/pair.h"

namespace braid::mptcp {
namespace {

using namespace testing;

class Middlebox : public ::testing::TestWithParam<bool> {
 public:
  static bool has_checksum() { return GetParam(); }
  static void open(Pair& pair) { open(pair, has_checksum()); }
  static void open(Pair& pair, bool checksum) {
    pair.client.config.require_checksum = checksum;
    pair.add_client_endpoints();
    pair.client.to_send = 1;
    pair.connect();
    ASSERT_TRUE(pair.run_until([&] { return pair.server.received == 1; }));
    pair.run_for(500ms);
  }
  static void expect_exact(Pair& pair) {
    EXPECT_EQ(pair.server.received, pair.client.to_send);
    EXPECT_EQ(pair.client.received, pair.server.to_send);
    EXPECT_FALSE(pair.server.has_wrong_bytes || pair.client.has_wrong_bytes);
    EXPECT_EQ(pair.client.connection->error(), ConnectionError::kNone);
    EXPECT_EQ(pair.server.connection->error(), ConnectionError::kNone);
  }
};
INSTANTIATE_TEST_SUITE_P(Dss, Middlebox, ::testing::Bool(),
                         [](const auto& made) { return made.param ? "Checksum" : "NoChecksum"; });

/// Only a checksum can tell.
class RewrittenPayload : public ::testing::Test {};

TEST_P(Middlebox, SplitsSegments) {
  for (const uint16_t size : {100, 536, 1000}) {
    Pair pair(1, {PathOptions{.loss = 0.01, .split_bytes = size}, PathOptions{.delay = 20ms}});
    open(pair);
    ASSERT_TRUE(exchange(pair, 400'000, 400'000));
    expect_exact(pair);
    EXPECT_EQ(pair.server.counter(Counter::kDssNotMatching), 0u);
  }
}

TEST_P(Middlebox, CoalescesSegmentsAndLosesADss) {
  for (const size_t paths : {1, 2}) {
    Pair pair(2, std::vector<PathOptions>(paths));
    for (auto& path : pair.network.paths) path.options.mtu = 9000;
    pair.network.middleboxes = {coalesce(5, 6)};
    open(pair);
    ASSERT_TRUE(exchange(pair, 500'000, 500'000));
    expect_exact(pair);
    EXPECT_EQ(pair.client.connection->fallback_reason(), FallbackReason::kNone);
  }
}

TEST_F(RewrittenPayload, OfOnePathOfTwo) {
  for (const bool is_initial : {true, false}) {
    ChunkPool pool;
    Pair pair(3, {PathOptions{}, PathOptions{}});
    Middlebox::open(pair, true);
    pair.network.middleboxes = {on_path(is_initial ? 0 : 1, rewrite_payload(pool, to_server))};
    ASSERT_TRUE(exchange(pair, 500'000, 500'000));
    Middlebox::expect_exact(pair);
    EXPECT_GE(pair.server.counter(Counter::kDssCorruptionReset), 1u);
    EXPECT_EQ(pair.server.connection->fallback_reason(), FallbackReason::kNone);
  }
}

TEST_F(RewrittenPayload, OfTheOnlyPath) {
  for (const double loss : {0.0, 0.03}) {
    ChunkPool pool;
    Pair pair(4, {PathOptions{.loss = loss}});
    Middlebox::open(pair, true);
    pair.network.middleboxes = {rewrite_payload(pool, to_server)};
    ASSERT_TRUE(exchange(pair, 300'000, 300'000));
    // The middlebox's octets are the stream: all arrive, some are not what was sent.
    EXPECT_EQ(pair.server.received, 300'000u);
    EXPECT_EQ(pair.client.received, 300'000u);
    EXPECT_TRUE(pair.server.has_wrong_bytes);
    EXPECT_FALSE(pair.client.has_wrong_bytes);
    EXPECT_EQ(pair.server.connection->fallback_reason(), FallbackReason::kChecksumFailed);
    EXPECT_EQ(pair.client.connection->fallback_reason(), FallbackReason::kPeerSentMpFail);
  }
}

// The kernel lost its place in the data when what was lost came again with the infinite mapping.
TEST_F(RewrittenPayload, WhatWasMappedKeepsItsMappingAfterMpFail) {
  bool was_repeated_later = false, has_told_infinite = false;
  for (uint64_t seed = 20; seed < 26; ++seed) {
    ChunkPool pool;
    Pair pair(seed, {PathOptions{.loss = 0.03}});
    Middlebox::open(pair, true);
    std::map<uint32_t, wire::DssMapping> seen;  // by the segment's sequence number
    const auto watch = [&](size_t, Direction d, Segment& s) {
      const auto* dss = find_option<wire::Dss>(s);
      if (d != Direction::kToServer || s.payload_size() == 0 || dss == nullptr || !dss->mapping) return true;
      const auto [first, is_new] = seen.emplace(s.seq.value(), *dss->mapping);
      EXPECT_EQ(first->second.data_length, dss->mapping->data_length);
      EXPECT_EQ(first->second.subflow_seq, dss->mapping->subflow_seq);
      const bool is_after = pair.client.connection->fallback_reason() == FallbackReason::kPeerSentMpFail;
      if (!is_new && is_after && dss->mapping->data_length > 0) was_repeated_later = true;
      if (dss->mapping->data_length == 0) has_told_infinite = true;
      return true;
    };
    pair.network.middleboxes = {watch, rewrite_payload(pool, to_server, 1)};
    pair.client.to_send = 1'000'000;
    ASSERT_TRUE(pair.run_until([&] { return pair.server.received == 1'000'000; }));
  }
  EXPECT_TRUE(was_repeated_later);
  EXPECT_TRUE(has_told_infinite);
}

// Its window is that of the last DATA_ACK: it stood still when these ended with our MP_FAIL.
TEST_F(RewrittenPayload, APeerThatDoesNotReadMpFailGoesOn) {
  ChunkPool pool;
  Pair pair(6);
  Middlebox::open(pair, true);
  const auto takes_mp_fail_off = [](size_t, Direction, Segment& s) {
    for (size_t i = 0; i < s.options.mptcp.size();) {
      if (std::holds_alternative<wire::MpFail>(s.options.mptcp[i]))
        s.options.mptcp.erase(s.options.mptcp.begin() + static_cast<std::ptrdiff_t>(i));
      else
        ++i;
    }
    return true;
  };
  pair.network.middleboxes = {rewrite_payload(pool, to_server, 1), takes_mp_fail_off};
  pair.client.to_send = 5'000'000;
  ASSERT_TRUE(pair.run_until([&] { return pair.server.received == 5'000'000; }));
  EXPECT_EQ(pair.server.connection->fallback_reason(), FallbackReason::kChecksumFailed);
  EXPECT_EQ(pair.client.connection->fallback_reason(), FallbackReason::kNone);
  EXPECT_TRUE(pair.server.has_wrong_bytes);
}

TEST_P(Middlebox, AcknowledgesDataThatItLosesOnOnePath) {
  // A proxy acknowledges whatever passes, and then delivers nothing: only DATA_ACK frees data.
  Pair pair(5, {PathOptions{}, PathOptions{}});
  open(pair);
  std::optional<Seq32> acknowledged;
  pair.network.middleboxes = {on_path(1, [&](size_t, Direction d, Segment& s) {
    if (d == Direction::kToServer && s.payload_size() > 0) {
      const Seq32 end = s.seq + static_cast<uint32_t>(s.payload_size());
      if (!acknowledged.has_value() || end.after(*acknowledged)) acknowledged = end;
      Segment ack;
      ack.tuple = {s.tuple.remote, s.tuple.local};
      ack.seq = s.ack;
      ack.ack = *acknowledged;
      ack.flags.ack = true;
      ack.window = 1000;
      if (s.options.timestamps.has_value())
        ack.options.timestamps = wire::Timestamps{s.options.timestamps->echo, s.options.timestamps->value};
      pair.inject(1, Direction::kToClient, ack);
      return false;
    }
    return true;
  })};
  ASSERT_TRUE(exchange(pair, 400'000, 0));
  expect_exact(pair);
}

TEST_P(Middlebox, TakesDssOutInMidConnectionOnOnePath) {
  Pair pair(6, {PathOptions{}, PathOptions{}});
  open(pair);
  pair.client.to_send = pair.server.to_send = 3'000'000;
  pair.run_for(60ms);
  pair.network.middleboxes = {on_path(1, strip(is_not_syn))};
  ASSERT_TRUE(exchange(pair, 3'000'000, 3'000'000));
  expect_exact(pair);
}

// The only subflow there ever was is one line of octets, with mappings and without: both go on as plain TCP.
TEST_P(Middlebox, TakesOptionsOutInMidConnectionOnTheOnlyPath) {
  const std::vector<std::pair<const char*, TestNetwork::Middlebox>> boxes = {
      {"all", strip(is_not_syn)},
      {"the server's", strip(both(is_not_syn, to_client))},
      {"the client's", strip(both(is_not_syn, to_server))},
      {"those of data", strip(both(is_not_syn, has_payload))},
      {"those of ACKs",
       strip([](Direction d, const Segment& s) { return is_not_syn(d, s) && !has_payload(d, s); })}};
  for (const auto& [name, box] : boxes) {
    for (const bool is_two_way : {false, true}) {
      SCOPED_TRACE(fmt::format("{}, {}", name, is_two_way));
      Pair pair(7);
      open(pair);
      pair.client.to_send = 3'000'000;
      if (is_two_way) pair.server.to_send = 3'000'000;
      pair.run_for(60ms);
      pair.network.middleboxes = {box};
      ASSERT_TRUE(exchange(pair, 3'000'000, is_two_way ? 3'000'000 : 0));
      expect_exact(pair);
    }
  }
}

// Where a subflow came and went, what the only one left has is no line any more: an error, and soon, rather
// than wrong octets or a hang.
TEST_P(Middlebox, TakesEverythingOutInMidConnectionOnTheLastPathOfTwo) {
  Pair pair(7, {PathOptions{}, PathOptions{}});
  open(pair);
  pair.client.to_send = 3'000'000;
  ASSERT_TRUE(pair.run_until([&] { return pair.client.connection->info().subflows.size() == 2; }));
  pair.run_for(20ms);
  pair.cut(1);
  pair.network.middleboxes = {strip(is_not_syn)};
  ASSERT_TRUE(
      pair.run_until([&] { return pair.client.connection->error() != ConnectionError::kNone; }, 300s));
  EXPECT_FALSE(pair.server.has_wrong_bytes);
}

TEST_P(Middlebox, LosesWindowScaling) {
  // A firewall that does not know the option takes it from the SYN.
  Pair pair(8, {PathOptions{}, PathOptions{}});
  pair.network.middleboxes = {[](size_t, Direction d, Segment& s) {
    if (is_syn(d, s)) s.options.window_scale.reset();
    return true;
  }};
  open(pair);
  ASSERT_TRUE(exchange(pair, 500'000, 500'000));
  expect_exact(pair);
}

}  // namespace
}  // namespace braid::mptcp
