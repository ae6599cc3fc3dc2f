// Additional subflows (RFC 8684, 3.2): both roles, refusals, and what a path can do to MP_JOIN.
#include <gtest/gtest.h>

#include "mptcp/testing/middleboxes.h"
#include "mptcp/testing/pair.h"

namespace braid::mptcp {
namespace {

using namespace testing;

class Join : public ::testing::Test {
 protected:
  /// Connected, one octet over, so that the client knows that the server has its key.
  void open(Pair& pair) {
    pair.client.to_send = 1;
    pair.connect();
    ASSERT_TRUE(pair.run_until([&] { return pair.is_multipath() && pair.server.received == 1; }));
  }
  void expect_still_delivers(Pair& pair) {
    ASSERT_TRUE(exchange(pair, 200'000, 200'000));
    EXPECT_EQ(pair.server.received, 200'000u);
    EXPECT_EQ(pair.client.received, 200'000u);
    EXPECT_FALSE(pair.server.has_wrong_bytes || pair.client.has_wrong_bytes);
    EXPECT_EQ(pair.client.connection->error(), ConnectionError::kNone);
    EXPECT_EQ(pair.client.connection->fallback_reason(), FallbackReason::kNone);
  }
};

TEST_F(Join, ComesUpOnBothSides) {
  Pair pair(1, {PathOptions{}, PathOptions{.delay = 30ms}});
  pair.add_client_endpoints();
  open(pair);
  ASSERT_TRUE(
      pair.run_until([&] { return pair.subflows(pair.client) == 2 && pair.subflows(pair.server) == 2; }));
  pair.run_for(1s);
  for (Side* side : {&pair.client, &pair.server}) {
    const auto info = side->connection->info();
    ASSERT_EQ(info.subflows.size(), 2u);
    EXPECT_TRUE(info.subflows[1].is_fully_established);
  }
  EXPECT_EQ(pair.client.connection->info().subflows[1].local_id, 1);
  EXPECT_EQ(pair.server.connection->info().subflows[1].remote_id, 1);
  expect_still_delivers(pair);
}

TEST_F(Join, NotBeforeTheFirstDataAck) {
  Pair pair(2, {PathOptions{}, PathOptions{}});
  pair.add_client_endpoints();
  pair.connect();
  pair.run_for(5s);
  EXPECT_EQ(pair.client.counter(Counter::kJoinSynTx), 0u);
}

TEST_F(Join, RefusedBeyondTheServersLimit) {
  Pair pair(3, {PathOptions{}, PathOptions{}, PathOptions{}});
  pair.add_client_endpoints();
  pair.server.environment.paths.limits.subflows = 1;
  open(pair);
  pair.run_for(3s);
  EXPECT_EQ(pair.subflows(pair.server), 2u);
  ASSERT_FALSE(pair.refused_joins.empty());
  EXPECT_EQ(pair.refused_joins[0], wire::ResetReason::kAdministrativelyProhibited);
  EXPECT_GE(pair.server.counter(Counter::kJoinRejected), 1u);
  expect_still_delivers(pair);
}

TEST_F(Join, ThirdAckIsRepeatedUntilTheFourthIsSeen) {
  Pair pair(4, {PathOptions{}, PathOptions{}});
  pair.add_client_endpoints();
  int joins = 0;
  pair.network.middleboxes = {on_path(1, [&](size_t, Direction, Segment& s) {
    return find_option<wire::MpJoinAck>(s) == nullptr || ++joins > 3;  // three third ACKs are lost
  })};
  open(pair);
  ASSERT_TRUE(pair.run_until([&] { return pair.server.counter(Counter::kJoinAckRx) > 0; }, 20s));
  pair.run_for(1s);
  EXPECT_TRUE(pair.client.connection->info().subflows[1].is_fully_established);
  expect_still_delivers(pair);
}

TEST_F(Join, FourthAckLost) {
  Pair pair(5, {PathOptions{}, PathOptions{}});
  pair.add_client_endpoints();
  pair.network.middleboxes = {on_path(1, lose(both(is_not_syn, to_client), 2))};
  open(pair);
  ASSERT_TRUE(pair.run_until([&] {
    const auto info = pair.client.connection->info();
    return info.subflows.size() == 2 && info.subflows[1].is_fully_established;
  }));
  expect_still_delivers(pair);
}

TEST_F(Join, NoDataBeforeTheFourthAck) {
  Pair pair(6, {PathOptions{.delay = 100ms}, PathOptions{.delay = 5ms}});
  pair.add_client_endpoints();
  bool has_fourth_ack_passed = false, did_data_go_early = false;
  pair.network.middleboxes = {on_path(1, [&](size_t, Direction d, Segment& s) {
    if (d == Direction::kToClient && !s.flags.syn) has_fourth_ack_passed = true;
    if (d == Direction::kToServer && s.payload_size() > 0 && !has_fourth_ack_passed) did_data_go_early = true;
    return true;
  })};
  pair.client.to_send = 2'000'000;
  pair.connect();
  ASSERT_TRUE(pair.run_until([&] { return pair.server.received == 2'000'000; }));
  EXPECT_TRUE(has_fourth_ack_passed);
  EXPECT_FALSE(did_data_go_early);
}

struct BadPath {
  const char* name;
  TestNetwork::Middlebox box;
};
std::ostream& operator<<(std::ostream& out, const BadPath& bad) { return out << bad.name; }

class JoinOverBadPath : public Join, public ::testing::WithParamInterface<BadPath> {};

TEST_P(JoinOverBadPath, CostsThatSubflowOnly) {
  Pair pair(7, {PathOptions{}, PathOptions{}});
  pair.add_client_endpoints();
  pair.network.middleboxes = {on_path(1, GetParam().box)};
  open(pair);
  pair.run_for(15s);
  for (const SubflowInfo& subflow : pair.client.connection->info().subflows)
    EXPECT_TRUE(subflow.is_initial || !subflow.is_fully_established);
  expect_still_delivers(pair);
}
INSTANTIATE_TEST_SUITE_P(
    Boxes, JoinOverBadPath,
    ::testing::Values(
        BadPath{"SynStripped", strip(is_syn)}, BadPath{"SynAckStripped", strip(is_syn_ack)},
        BadPath{"ThirdAckStripped", strip(both(is_not_syn, to_server))},
        BadPath{"FourthAckStripped", strip(both(is_not_syn, to_client))}, BadPath{"SynLost", lose(is_syn)},
        BadPath{"WrongHmacFromServer",
                edit<wire::MpJoinSynAck>(is_syn_ack, [](wire::MpJoinSynAck& o) { o.truncated_hmac ^= 1; })},
        BadPath{"WrongHmacFromClient",
                edit<wire::MpJoinAck>(is_not_syn, [](wire::MpJoinAck& o) { o.hmac[19] ^= std::byte{1}; })},
        BadPath{"WrongToken",
                edit<wire::MpJoinSyn>(is_syn, [](wire::MpJoinSyn& o) { o.receiver_token ^= 1; })},
        BadPath{"WrongNonce",
                edit<wire::MpJoinSyn>(is_syn, [](wire::MpJoinSyn& o) { o.sender_nonce ^= 1; })}),
    [](const auto& made) { return made.param.name; });

TEST_F(Join, ThroughAnAddressTranslator) {
  // The server sees another address and port than the client has: identity is the address ID.
  Pair pair(8, {PathOptions{}, PathOptions{}});
  pair.add_client_endpoints();
  const wire::Endpoint outside{client_address(2), 61'000};
  wire::Endpoint inside;
  pair.network.middleboxes = {[&](size_t, Direction d, Segment& s) {
    if (d == Direction::kToServer && s.tuple.local.address == client_address(1)) {
      inside = s.tuple.local;
      s.tuple.local = outside;
    } else if (d == Direction::kToClient && s.tuple.remote == outside) {
      s.tuple.remote = inside;
    }
    return true;
  }};
  pair.network.paths.push_back(pair.network.paths[1]);  // replies to the outside address take a path too
  open(pair);
  ASSERT_TRUE(pair.run_until([&] { return pair.subflows(pair.server) == 2; }));
  pair.run_for(1s);
  EXPECT_EQ(pair.server.connection->info().subflows[1].tuple.remote, outside);
  EXPECT_EQ(pair.server.connection->info().subflows[1].remote_id, 1);
  expect_still_delivers(pair);
}

TEST_F(Join, BackupSubflowIsSilentUntilNeeded) {
  Pair pair(9, {PathOptions{}, PathOptions{}});
  pair.add_client_endpoints();
  pair.client.environment.paths.endpoints[0].is_backup = true;
  open(pair);
  ASSERT_TRUE(pair.run_until([&] { return pair.subflows(pair.server) == 2; }));
  pair.run_for(100ms);
  EXPECT_TRUE(pair.server.connection->info().subflows[1].is_backup);
  const uint64_t before = pair.network.paths[1].bytes[0] + pair.network.paths[1].bytes[1];
  pair.client.to_send = pair.server.to_send = 1'000'000;
  ASSERT_TRUE(
      pair.run_until([&] { return pair.server.received == 1'000'000 && pair.client.received == 1'000'000; }));
  EXPECT_LT(pair.network.paths[1].bytes[0] + pair.network.paths[1].bytes[1] - before, 2'000u);
  pair.cut(0);
  pair.client.to_send = pair.server.to_send = 2'000'000;
  ASSERT_TRUE(
      pair.run_until([&] { return pair.server.received == 2'000'000 && pair.client.received == 2'000'000; }));
}

}  // namespace
}  // namespace braid::mptcp
