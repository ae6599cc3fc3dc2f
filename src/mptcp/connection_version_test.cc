// Which version two ends agree on (RFC 8684, 3.1; RFC 6824, 3.1), what only version 0 has, and what is
// remembered of a destination for the next connection.
#include <gtest/gtest.h>

#include "mptcp/testing/middleboxes.h"
#include "mptcp/testing/pair.h"

namespace braid::mptcp {
namespace {

using namespace testing;

void expect_exact(Pair& pair) {
  EXPECT_EQ(pair.server.received, pair.client.to_send);
  EXPECT_EQ(pair.client.received, pair.server.to_send);
  EXPECT_FALSE(pair.server.has_wrong_bytes || pair.client.has_wrong_bytes);
  EXPECT_EQ(pair.client.connection->error(), ConnectionError::kNone);
  EXPECT_EQ(pair.server.connection->error(), ConnectionError::kNone);
}
bool was_multipath(const Side& side) { return side.connection->fallback_reason() == FallbackReason::kNone; }

struct Offer {
  int client_lowest, client_highest, server_lowest, server_highest;
  int agreed;  // -1: plain TCP
};
std::ostream& operator<<(std::ostream& out, const Offer& o) {
  return out << o.client_lowest << o.client_highest << "To" << o.server_lowest << o.server_highest;
}

class Versions : public ::testing::TestWithParam<std::tuple<Offer, bool>> {};

TEST_P(Versions, AreNegotiated) {
  const auto& [offer, client_speaks_first] = GetParam();
  for (const double loss : {0.0, 0.05}) {
    Pair pair(21, {PathOptions{.loss = loss}, PathOptions{.loss = loss}});
    pair.client.config.lowest_version = static_cast<Version>(offer.client_lowest);
    pair.client.config.highest_version = static_cast<Version>(offer.client_highest);
    pair.server.config.lowest_version = static_cast<Version>(offer.server_lowest);
    pair.server.config.highest_version = static_cast<Version>(offer.server_highest);
    pair.client.config.race_delay =
        Duration(0);  // a lost SYN would leave one path: the first has no endpoint
    pair.add_client_endpoints();
    ASSERT_TRUE(exchange(pair, client_speaks_first ? 300'000 : 0, 300'000));
    expect_exact(pair);
    for (const Side* side : {&pair.client, &pair.server}) {
      EXPECT_EQ(was_multipath(*side), offer.agreed >= 0);
      if (offer.agreed < 0) continue;
      EXPECT_EQ(static_cast<int>(side->connection->info().version), offer.agreed);
    }
    EXPECT_EQ(pair.server.counter(Counter::kJoinAckRx) > 0, offer.agreed >= 0);
  }
}
INSTANTIATE_TEST_SUITE_P(Matrix, Versions,
                         ::testing::Combine(::testing::Values(Offer{0, 1, 0, 1, 1}, Offer{0, 1, 0, 0, 0},
                                                              Offer{0, 0, 0, 1, 0}, Offer{0, 0, 0, 0, 0},
                                                              Offer{1, 1, 0, 1, 1}, Offer{0, 1, 1, 1, 1},
                                                              Offer{1, 1, 0, 0, -1}, Offer{0, 0, 1, 1, -1}),
                                            ::testing::Bool()),
                         [](const auto& made) {
                           return ::testing::PrintToString(std::get<0>(made.param)) +
                                  (std::get<1>(made.param) ? "" : "ServerFirst");
                         });

/// Both configured for version 0; the options seen on the wire.
struct Version0 : ::testing::Test {
  Version0() : pair(22, {PathOptions{}, PathOptions{}}) {
    pair.client.config.highest_version = pair.server.config.highest_version = Version::kV0;
  }
  Pair pair;
};

TEST_F(Version0, KeysAreOnTheWireFromTheSynOn) {
  bool was_syn_seen = false, was_ack_seen = false;
  pair.network.middleboxes = {[&](size_t, Direction d, Segment& s) {
    const auto* capable = find_option<wire::MpCapable>(s);
    if (capable == nullptr) return true;
    EXPECT_EQ(capable->version, 0);
    EXPECT_TRUE(capable->sender_key.has_value());
    EXPECT_FALSE(capable->data_length.has_value());
    was_syn_seen = was_syn_seen || is_syn(d, s);
    was_ack_seen = was_ack_seen || (is_not_syn(d, s) && capable->receiver_key.has_value());
    return true;
  }};
  ASSERT_TRUE(exchange(pair, 10'000, 10'000));
  expect_exact(pair);
  EXPECT_TRUE(was_syn_seen && was_ack_seen);
}

TEST_F(Version0, ThirdAckLostIsNoMatter) {
  pair.network.middleboxes = {lose(
      [](Direction d, const Segment& s) { return to_server(d, s) && is_not_syn(d, s) && !has_payload(d, s); },
      1)};
  ASSERT_TRUE(exchange(pair, 100'000, 100'000));
  expect_exact(pair);
  EXPECT_TRUE(was_multipath(pair.client) && was_multipath(pair.server));
}

TEST_F(Version0, KeysThatOnlyTheThirdAckHasAreRepeated) {
  // Offered version 1, whose SYN has no key, and answered with version 0.
  pair.client.config.highest_version = Version::kV1;
  pair.network.middleboxes = {lose(
      [](Direction d, const Segment& s) { return to_server(d, s) && is_not_syn(d, s) && !has_payload(d, s); },
      1)};
  ASSERT_TRUE(exchange(pair, 100'000, 100'000));
  expect_exact(pair);
  EXPECT_TRUE(was_multipath(pair.client) && was_multipath(pair.server));
  EXPECT_EQ(pair.server.connection->info().version, Version::kV0);
}

TEST_F(Version0, AnnouncesWithoutHmacAndEcho) {
  pair.server.environment.paths.endpoints.push_back(
      {.id = 1, .address = server_address(1), .interface = {}, .is_signal = true});
  pair.client.to_send = 1;
  pair.connect();
  ASSERT_TRUE(pair.run_until([&] { return pair.subflows(pair.client) == 2; }));
  pair.run_for(10s);
  EXPECT_EQ(pair.subflows(pair.server), 2u);
  EXPECT_EQ(pair.client.counter(Counter::kEchoAddTx), 0u);
  EXPECT_EQ(pair.client.counter(Counter::kAddAddrBadHmac), 0u);
  EXPECT_LE(pair.server.counter(Counter::kAddAddrTx), 3u);
}

TEST_F(Version0, AnAnnouncementOfVersion1IsForged) {
  pair.server.environment.paths.endpoints.push_back(
      {.id = 1, .address = server_address(1), .interface = {}, .is_signal = true});
  pair.network.middleboxes = {edit<wire::AddAddr>(to_client, [](wire::AddAddr& o) { o.version = 1; })};
  pair.client.to_send = 1;
  pair.connect();
  pair.run_for(5s);
  EXPECT_GE(pair.client.counter(Counter::kAddAddrBadHmac), 1u);
  EXPECT_EQ(pair.subflows(pair.client), 1u);
}

TEST_F(Version0, SendsNoOptionOfVersion1Only) {
  pair.add_client_endpoints();
  pair.network.middleboxes = {[](size_t, Direction, Segment& s) {
    EXPECT_EQ(find_option<wire::MpTcpRst>(s), nullptr);
    EXPECT_FALSE(s.flags.rst && find_option<wire::MpFastclose>(s) != nullptr);
    return true;
  }};
  pair.client.to_send = 100'000;
  pair.connect();
  ASSERT_TRUE(pair.run_until([&] { return pair.server.connection && pair.server.received > 50'000; }));
  pair.client.connection->abort(pair.now);
  ASSERT_TRUE(pair.run_until(
      [&] { return pair.client.connection->is_finished() && pair.server.connection->is_finished(); }));
  EXPECT_EQ(pair.server.connection->error(), ConnectionError::kReset);
  EXPECT_GE(pair.server.counter(Counter::kMpFastcloseRx), 1u);
}

// ---- MP_FASTCLOSE on an ACK (RFC 8684, 3.5)

void open_two_paths(Pair& pair) {
  pair.client.config.fastclose = FastcloseForm::kAck;
  pair.add_client_endpoints();
  pair.client.to_send = 1;
  pair.connect();
  ASSERT_TRUE(pair.run_until([&] { return pair.server.connection && pair.server.received == 1; }));
  pair.run_for(500ms);
  ASSERT_EQ(pair.subflows(pair.client), 2u);
}

TEST(FastcloseOnAck, IsRepeatedUntilTheResetComes) {
  Pair pair(23, {PathOptions{}, PathOptions{}});
  open_two_paths(pair);
  int seen = 0;
  pair.network.middleboxes = {[&](size_t, Direction, Segment& s) {
    return find_option<wire::MpFastclose>(s) == nullptr || ++seen > 2;  // the first two are lost
  }};
  pair.client.connection->abort(pair.now);
  ASSERT_TRUE(pair.run_until([&] { return pair.client.connection->is_finished(); }, 30s));
  EXPECT_EQ(seen, 3);
  EXPECT_EQ(pair.server.connection->error(), ConnectionError::kReset);
  EXPECT_TRUE(pair.server.connection->is_finished());
}

TEST(FastcloseOnAck, GivesUpOnASilentPeer) {
  Pair pair(24, {PathOptions{}, PathOptions{}});
  open_two_paths(pair);
  pair.cut(0);
  pair.cut(1);
  pair.client.connection->abort(pair.now);
  ASSERT_TRUE(pair.run_until([&] { return pair.client.connection->is_finished(); }, 30s));
  EXPECT_EQ(pair.client.counter(Counter::kMpFastcloseTx), 4u) << "three ACKs and the RST at the end";
}

TEST(FastcloseOnAck, FromBothEndsAtOnce) {
  Pair pair(25, {PathOptions{}, PathOptions{}});
  pair.server.config.fastclose = FastcloseForm::kAck;
  open_two_paths(pair);
  pair.client.connection->abort(pair.now);
  pair.server.connection->abort(pair.now);
  ASSERT_TRUE(pair.run_until(
      [&] { return pair.client.connection->is_finished() && pair.server.connection->is_finished(); }, 30s));
}

TEST(FastcloseOnAck, DataUnderWayAreNotAnswered) {
  Pair pair(26, {PathOptions{}, PathOptions{}});
  open_two_paths(pair);
  pair.server.to_send = 5'000'000;
  ASSERT_TRUE(pair.run_until([&] { return pair.client.received > 100'000; }));
  pair.client.connection->abort(pair.now);
  ASSERT_TRUE(pair.run_until(
      [&] { return pair.client.connection->is_finished() && pair.server.connection->is_finished(); }, 30s));
  EXPECT_EQ(pair.server.connection->error(), ConnectionError::kReset);
}

// ---- memory

/// A second connection from the same client: what the first one taught stays.
void reconnect(Pair& pair) {
  pair.client.connection.reset();
  pair.server.connection.reset();
  pair.client.sent = pair.client.received = pair.server.sent = pair.server.received = 0;
  pair.client.environment.members.clear();
  pair.server.environment.members.clear();
  pair.client.environment.time_waits.clear();
  pair.server.environment.time_waits.clear();
}

TEST(Memory, OfANetworkThatDropsTheOption) {
  Pair pair(27);
  const auto drop =
      lose([](Direction d, const Segment& s) { return is_syn(d, s) && !s.options.mptcp.empty(); });
  pair.network.middleboxes = {drop};
  ASSERT_TRUE(exchange(pair, 1000, 1000));
  EXPECT_EQ(pair.client.connection->fallback_reason(), FallbackReason::kSynOptionDropped);
  EXPECT_EQ(pair.client.counter(Counter::kMpCapableSynTx), 3u);

  reconnect(pair);  // one SYN has the option, to make sure
  ASSERT_TRUE(exchange(pair, 1000, 1000));
  EXPECT_EQ(pair.client.connection->fallback_reason(), FallbackReason::kSynOptionDropped);
  EXPECT_EQ(pair.client.counter(Counter::kMpCapableSynTx), 4u);

  reconnect(pair);  // none has
  const Time before = pair.now;
  ASSERT_TRUE(exchange(pair, 1000, 1000));
  EXPECT_EQ(pair.client.connection->fallback_reason(), FallbackReason::kSynOptionDroppedBefore);
  EXPECT_EQ(pair.client.counter(Counter::kMpCapableSynTx), 4u);
  EXPECT_EQ(pair.client.counter(Counter::kMpCapableSynTxDisabled), 1u);
  EXPECT_LT(pair.now - before, 1s) << "the second that the unanswered SYN would cost";

  reconnect(pair);  // the network was repaired meanwhile
  pair.network.middleboxes.clear();
  pair.run_for(120s);
  ASSERT_TRUE(exchange(pair, 1000, 1000));
  EXPECT_EQ(pair.client.connection->fallback_reason(), FallbackReason::kNone);
  EXPECT_EQ(pair.client.environment.memory.size(), 0u);
}

TEST(Memory, ARestartedServerIsOfferedItAgain) {
  Pair pair(28);
  // Down while three SYNs go out.
  pair.network.middleboxes = {lose(is_syn, 3)};
  ASSERT_TRUE(exchange(pair, 1000, 1000));
  EXPECT_EQ(pair.client.connection->fallback_reason(), FallbackReason::kSynOptionDropped);
  reconnect(pair);
  ASSERT_TRUE(exchange(pair, 1000, 1000));
  EXPECT_EQ(pair.client.connection->fallback_reason(), FallbackReason::kNone);
}

TEST(Memory, OfTheVersion) {
  Pair pair(29);
  pair.server.config.highest_version = Version::kV0;
  ASSERT_TRUE(exchange(pair, 1000, 1000));
  reconnect(pair);
  bool has_key = false;
  pair.network.middleboxes = {[&](size_t, Direction d, Segment& s) {
    const auto* capable = find_option<wire::MpCapable>(s);
    if (capable != nullptr && is_syn(d, s)) has_key = capable->sender_key.has_value();
    return true;
  }};
  ASSERT_TRUE(exchange(pair, 1000, 1000));
  EXPECT_TRUE(has_key) << "the second connection offers version 0 at once";
  EXPECT_EQ(pair.server.connection->info().version, Version::kV0);
}

}  // namespace
}  // namespace braid::mptcp
