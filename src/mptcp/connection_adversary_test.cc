// A peer, or somebody on the path, that does not keep to the rules: counted, answered as the RFC says, and
// never more than that.
#include <gtest/gtest.h>

#include "mptcp/testing/middleboxes.h"
#include "mptcp/testing/pair.h"

namespace braid::mptcp {
namespace {

using namespace testing;

class Adversary : public ::testing::Test {
 protected:
  static void open(Pair& pair) {
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

TEST_F(Adversary, DataAckBeyondWhatWasSentIsIgnored) {
  Pair pair(1, {PathOptions{}, PathOptions{}});
  open(pair);
  int left = 20;
  pair.network.middleboxes = {edit<wire::Dss>(to_client, [&](wire::Dss& dss) {
    if (dss.data_ack.has_value() && left-- > 0) dss.data_ack->value += 100'000'000;
  })};
  ASSERT_TRUE(exchange(pair, 500'000, 100'000));
  expect_exact(pair);
  EXPECT_GE(pair.client.counter(Counter::kBraidBadDataAck), 15u);
}

TEST_F(Adversary, OldDataAcksDoNoHarm) {
  Pair pair(2, {PathOptions{}});
  open(pair);
  uint64_t n = 0;
  pair.network.middleboxes = {edit<wire::Dss>(to_client, [&](wire::Dss& dss) {
    if (dss.data_ack.has_value() && ++n % 3 == 0) dss.data_ack->value -= 50'000;
  })};
  ASSERT_TRUE(exchange(pair, 500'000, 100'000));
  expect_exact(pair);
}

TEST_F(Adversary, ConflictingMappingCostsThatSubflow) {
  Pair pair(3, {PathOptions{}, PathOptions{}});
  open(pair);
  uint64_t n = 0;
  pair.network.middleboxes = {on_path(1, edit<wire::Dss>(both(to_server, has_payload), [&](wire::Dss& dss) {
                                        // Pieces of one map disagree.
                                        if (dss.mapping.has_value() && ++n % 5 == 0)
                                          dss.mapping->data_seq.value += 10'000'000;
                                      }))};
  ASSERT_TRUE(exchange(pair, 1'000'000, 100'000));
  EXPECT_EQ(pair.server.received, 1'000'000u);
  EXPECT_GE(pair.server.counter(Counter::kDssNotMatching), 1u);
  EXPECT_EQ(pair.server.connection->error(), ConnectionError::kNone);
}

TEST_F(Adversary, DataFinsThatContradictTheStreamAreCounted) {
  Pair pair(4, {PathOptions{}});
  open(pair);
  uint64_t last = 0;
  int left = 4;
  pair.network.middleboxes = {[&](size_t, Direction d, Segment& s) {
    const auto* dss = find_option<wire::Dss>(s);
    if (d != Direction::kToServer || dss == nullptr) return true;
    if (dss->mapping.has_value()) last = dss->mapping->data_seq.value;
    if (pair.server.received < 100'000 || left == 0) return true;
    // "The stream ended a while ago", or "ends far beyond what you have room for".
    wire::Dss forged;
    wire::DssMapping& mapping = forged.mapping.emplace();
    mapping.data_seq = {last + (--left % 2 == 0 ? 1'000'000'000 : -90'000), true};
    mapping.data_length = 1;
    forged.data_fin = true;
    s.options.mptcp.clear();
    s.options.mptcp.push_back(forged);
    return true;
  }};
  ASSERT_TRUE(exchange(pair, 300'000, 0));
  expect_exact(pair);
  EXPECT_EQ(pair.server.counter(Counter::kBraidBadDataFin), 4u);
}

TEST_F(Adversary, RemoveAddrOfUnknownIdsIsIgnored) {
  Pair pair(5, {PathOptions{}, PathOptions{}});
  open(pair);
  pair.network.middleboxes = {[&, left = 5](size_t, Direction d, Segment& s) mutable {
    if (d == Direction::kToServer && s.payload_size() == 0 && !s.flags.syn &&
        s.options.encoded_size() <= 32 && left > 0) {
      --left;
      s.options.mptcp.push_back(wire::RemoveAddr{{77, 78, 79}});
    }
    return true;
  }};
  ASSERT_TRUE(exchange(pair, 300'000, 300'000));
  expect_exact(pair);
}

TEST_F(Adversary, MpFailOfAStrangerResetsAtMostOneSubflow) {
  Pair pair(6, {PathOptions{}, PathOptions{}});
  open(pair);
  pair.client.to_send = pair.server.to_send = 500'000;
  pair.network.middleboxes = {on_path(1, [left = 1](size_t, Direction d, Segment& s) mutable {
    if (d == Direction::kToServer && s.payload_size() == 0 && !s.flags.syn && left > 0) {
      --left;
      s.options.mptcp.clear();
      s.options.mptcp.push_back(wire::MpFail{0x123456789abcdef});
    }
    return true;
  })};
  ASSERT_TRUE(exchange(pair, 500'000, 500'000));
  expect_exact(pair);
}

/// Replaces options by random ones, and fields by random values.
void scramble(SeededRandom& random, Segment& s) {
  const auto number = [&] { return random.next64() >> random.below(64); };
  switch (random.below(10)) {
    case 0:
      s.options.mptcp.clear();
      break;
    case 1:
      if (auto* dss = find_option<wire::Dss>(s); dss != nullptr && dss->data_ack)
        dss->data_ack->value += number();
      break;
    case 2:
      if (auto* dss = find_option<wire::Dss>(s); dss != nullptr && dss->mapping)
        dss->mapping->data_seq.value -= number();
      break;
    case 3:
      if (auto* dss = find_option<wire::Dss>(s); dss != nullptr && dss->mapping)
        dss->mapping->subflow_seq += static_cast<uint32_t>(number());
      break;
    case 4:
      if (auto* dss = find_option<wire::Dss>(s); dss != nullptr && dss->mapping) {
        dss->mapping->data_length = static_cast<uint16_t>(number());
        dss->data_fin = random.below(2) == 0;
      }
      break;
    case 5:
      s.options.mptcp.clear();
      s.options.mptcp.push_back(wire::MpFail{number()});
      break;
    case 6:
      s.options.mptcp.clear();
      s.options.mptcp.push_back(wire::RemoveAddr{{static_cast<uint8_t>(random.below(4))}});
      break;
    case 7: {
      wire::MpCapable capable;
      capable.sender_key = number();
      capable.receiver_key = number();
      s.options.mptcp.clear();
      s.options.mptcp.push_back(capable);
      break;
    }
    case 8:
      s.window = static_cast<uint16_t>(number());
      break;
    default:
      s.seq = s.seq + static_cast<uint32_t>(number());
      break;
  }
}

class Scrambled : public ::testing::TestWithParam<uint64_t> {};

/// Whatever happens to the options, nothing breaks in here, memory stays bounded, and it comes to an end.
TEST_P(Scrambled, ComesToAnEnd) {
  const uint64_t seed = GetParam();
  Pair pair(seed, {PathOptions{.loss = 0.01}, PathOptions{.delay = 25ms}});
  pair.client.config.require_checksum = seed % 2 == 0;
  pair.client.config.survive_without_subflows = pair.server.config.survive_without_subflows = 5s;
  pair.client.config.subflow.retransmission_attempts = pair.server.config.subflow.retransmission_attempts = 6;
  pair.add_client_endpoints();
  SeededRandom random(seed + 17);
  const uint64_t one_in = 5 + random.below(300);
  pair.network.middleboxes = {[&](size_t, Direction, Segment& s) {
    const size_t before = s.options.encoded_size();
    if (random.below(one_in) == 0) scramble(random, s);
    return s.options.encoded_size() <= before;  // no room for more
  }};
  pair.client.to_send = pair.server.to_send = 200'000;
  pair.client.shut_down_after = pair.server.shut_down_after = true;
  pair.connect();
  const auto is_over = [](const Side& side) {
    return side.connection == nullptr || side.connection->is_finished();
  };
  pair.run_until([&] { return is_over(pair.client) && is_over(pair.server); }, 900s);
  for (Side* side : {&pair.client, &pair.server}) {
    if (side->connection == nullptr) continue;
    EXPECT_LE(side->connection->memory_bytes(), 40u << 20);
    if (!is_over(*side)) side->connection->abort(pair.now);
  }
  pair.run_for(10s);
  EXPECT_TRUE(is_over(pair.client));
  EXPECT_TRUE(is_over(pair.server));
}
INSTANTIATE_TEST_SUITE_P(Seeds, Scrambled, ::testing::Range<uint64_t>(0, 150));

}  // namespace
}  // namespace braid::mptcp
