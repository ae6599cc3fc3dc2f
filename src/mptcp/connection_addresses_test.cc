// ADD_ADDR and REMOVE_ADDR between two connections (RFC 8684, 3.4).
#include <gtest/gtest.h>

#include "mptcp/testing/middleboxes.h"
#include "mptcp/testing/pair.h"

namespace braid::mptcp {
namespace {

using namespace testing;

class Addresses : public ::testing::Test {
 protected:
  static PathEndpoint signal(uint8_t id, const wire::IpAddress& address, uint16_t port = 0) {
    return {.id = id, .address = address, .port = port, .interface = {}, .is_signal = true};
  }
  static void open(Pair& pair) {
    pair.client.to_send = 1;
    pair.connect();
    ASSERT_TRUE(pair.run_until([&] { return pair.is_multipath() && pair.server.received == 1; }));
  }
  static void expect_still_delivers(Pair& pair) {
    ASSERT_TRUE(exchange(pair, 200'000, 200'000));
    EXPECT_FALSE(pair.server.has_wrong_bytes || pair.client.has_wrong_bytes);
    EXPECT_EQ(pair.client.connection->error(), ConnectionError::kNone);
  }
};

TEST_F(Addresses, AnnouncedIsJoinedAndEchoed) {
  Pair pair(1, {PathOptions{}, PathOptions{}});
  pair.server.environment.paths.endpoints = {signal(1, server_address(1))};
  open(pair);
  ASSERT_TRUE(pair.run_until([&] { return pair.subflows(pair.server) == 2; }));
  pair.run_for(20s);
  EXPECT_EQ(pair.server.counter(Counter::kAddAddrTx), 1u);  // not repeated once echoed
  EXPECT_EQ(pair.server.counter(Counter::kEchoAddRx), 1u);
  EXPECT_EQ(pair.client.connection->info().subflows[1].tuple.remote.address, server_address(1));
  EXPECT_EQ(pair.client.connection->info().subflows[1].remote_id, 1);
  expect_still_delivers(pair);
}

// An ACK that was asked for to carry the ADD_ADDR was taken over by data segments, which have no room for it.
TEST_F(Addresses, ABulkSenderAnnouncesToo) {
  Pair pair(16, {PathOptions{}, PathOptions{}});
  open(pair);
  pair.client.to_send = 50'000'000;
  ASSERT_TRUE(pair.run_until([&] { return pair.server.received > 1'000'000; }));
  const PathEndpoint late = signal(1, client_address(1));
  pair.client.environment.paths.endpoints = {late};
  pair.client.connection->on_endpoint_added(late, pair.now);
  ASSERT_TRUE(pair.run_until([&] { return pair.server.counter(Counter::kAddAddrRx) == 1; }));
  EXPECT_LT(pair.server.received, 50'000'000u);
}

TEST_F(Addresses, SeveralAtOnceAreAllAnnounced) {
  Pair pair(2, {PathOptions{}, PathOptions{}, PathOptions{}});
  auto& endpoints = pair.server.environment.paths.endpoints;
  endpoints = {signal(1, server_address(1)), signal(2, server_address(2)),
               signal(3, server_address(1), 8080)};
  for (uint8_t i = 4; i < 12; ++i) {
    std::array<uint8_t, 16> bytes = {0x20, 0x01, 0x0d, 0xb8};
    bytes[15] = i;
    endpoints.push_back(signal(i, wire::IpAddress::v6(bytes), i % 2 == 0 ? 8080 : 0));
    pair.server.environment.local_addresses.push_back(endpoints.back().address);
  }
  open(pair);
  pair.run_for(30s);
  EXPECT_EQ(pair.client.counter(Counter::kAddAddrRx), 11u);
  EXPECT_EQ(pair.server.counter(Counter::kEchoAddRx), 11u);
  EXPECT_EQ(pair.client.counter(Counter::kAddAddrBadHmac), 0u);
  EXPECT_EQ(pair.subflows(pair.server), 4u);
  expect_still_delivers(pair);
}

TEST_F(Addresses, LostAnnouncementsAndEchoesAreRepeated) {
  Pair pair(3, {PathOptions{}, PathOptions{}});
  pair.server.environment.paths.endpoints = {signal(1, server_address(1))};
  int announcements = 0, echoes = 0;
  pair.network.middleboxes = {[&](size_t, Direction, Segment& s) {
    if (const auto* option = find_option<wire::AddAddr>(s))
      return ++(option->is_echo ? echoes : announcements) > 1;
    return true;
  }};
  open(pair);
  pair.run_for(30s);
  EXPECT_EQ(pair.server.counter(Counter::kAddAddrTx), 3u);
  EXPECT_EQ(pair.server.counter(Counter::kEchoAddRx), 1u);
  EXPECT_EQ(pair.subflows(pair.server), 2u);
  expect_still_delivers(pair);
}

TEST_F(Addresses, NeverEchoedIsGivenUp) {
  Pair pair(4, {PathOptions{}, PathOptions{}});
  pair.server.environment.paths.endpoints = {signal(1, server_address(1))};
  pair.network.middleboxes = {strip_option<wire::AddAddr>(is_not_syn)};
  open(pair);
  pair.run_for(300s);
  EXPECT_EQ(pair.server.counter(Counter::kAddAddrTx), pair.server.config.add_addr_attempts);
  expect_still_delivers(pair);
}

// The ADD_ADDR of an IPv6 address leaves no room for a DATA_ACK. Its ACK overtook the one with the first
// DATA_ACK, a middlebox took the option off, and the bare ACK that came looked like plain TCP's.
TEST_F(Addresses, ABareAckThatOvertookTheFirstDataAckIsNoFallback) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    PathOptions path;
    path.reorder = 0.3;
    Pair pair(seed, {path, PathOptions{}});
    std::array<uint8_t, 16> bytes = {0x20, 0x01, 0x0d, 0xb8};
    bytes[15] = 1;
    pair.client.environment.paths.endpoints = {signal(1, wire::IpAddress::v6(bytes))};
    pair.client.environment.local_addresses.push_back(wire::IpAddress::v6(bytes));
    pair.network.middleboxes = {strip_option<wire::AddAddr>(is_not_syn)};
    pair.client.to_send = 100;
    pair.server.to_send = 100;
    pair.connect();
    ASSERT_TRUE(pair.run_until([&] { return pair.client.received == 100 && pair.server.received == 100; }));
    pair.run_for(1s);
    EXPECT_TRUE(pair.is_multipath()) << "seed " << seed;
  }
}

TEST_F(Addresses, ForgedOnesAreIgnored) {
  Pair pair(5, {PathOptions{}, PathOptions{}});
  pair.server.environment.paths.endpoints = {signal(1, server_address(1))};
  pair.network.middleboxes = {
      edit<wire::AddAddr>(to_client, [](wire::AddAddr& o) { o.address = wire::IpAddress::v4(0xCB007109); })};
  open(pair);
  pair.run_for(10s);
  EXPECT_GE(pair.client.counter(Counter::kAddAddrBadHmac), 1u);
  EXPECT_EQ(pair.client.counter(Counter::kEchoAddTx), 0u);
  EXPECT_EQ(pair.client.counter(Counter::kJoinSynTx), 0u);
  expect_still_delivers(pair);
}

TEST_F(Addresses, UnreachableOnesCostAFewSyns) {
  Pair pair(6, {PathOptions{}, PathOptions{}});
  pair.server.environment.paths.endpoints = {signal(1, wire::IpAddress::v4(0xC6336463))};
  pair.network.middleboxes = {on_path(1, lose(to_server))};
  open(pair);
  pair.client.to_send = pair.server.to_send = 200'000;
  pair.run_for(120s);
  EXPECT_EQ(pair.server.received, 200'000u);
  EXPECT_LT(pair.network.paths[1].packets[0], 30u);
  expect_still_delivers(pair);
}

TEST_F(Addresses, WithdrawnOnesSubflowsEnd) {
  Pair pair(7, {PathOptions{}, PathOptions{}});
  pair.add_client_endpoints();
  open(pair);
  ASSERT_TRUE(pair.run_until([&] { return pair.subflows(pair.server) == 2; }));
  pair.run_for(100ms);
  const PathEndpoint endpoint = pair.client.environment.paths.endpoints[0];
  pair.client.environment.paths.endpoints.clear();
  pair.client.connection->on_endpoint_removed(endpoint, pair.now);
  pair.run_for(2s);
  EXPECT_EQ(pair.server.counter(Counter::kRmAddrRx), 1u);
  EXPECT_EQ(pair.subflows(pair.server), 1u);
  EXPECT_EQ(pair.subflows(pair.client), 1u);
  expect_still_delivers(pair);
}

TEST_F(Addresses, JoinsOnlyToAnnouncedOnesIfThePeerSaysSo) {
  // Flag C, as a load balancer's back end sets it.
  Pair pair(8, {PathOptions{}, PathOptions{}});
  pair.add_client_endpoints();
  pair.server.environment.paths.endpoints = {signal(1, server_address(1))};
  pair.server.config.deny_join_initial = true;
  open(pair);
  pair.run_for(5s);
  const auto info = pair.client.connection->info();
  ASSERT_EQ(info.subflows.size(), 2u);
  EXPECT_EQ(info.subflows[1].tuple.remote.address, server_address(1));
  EXPECT_EQ(pair.server.counter(Counter::kJoinRejected), 0u);
}

TEST_F(Addresses, AJoinToTheInitialAddressThatWasDeniedIsRefused) {
  Pair pair(9, {PathOptions{}, PathOptions{}});
  pair.add_client_endpoints();
  pair.server.config.deny_join_initial = true;
  // A peer that does not honour flag C: it never sees it.
  pair.network.middleboxes = {
      edit<wire::MpCapable>(is_syn_ack, [](wire::MpCapable& o) { o.deny_join_initial = false; })};
  open(pair);
  ASSERT_TRUE(pair.run_until([&] { return !pair.refused_joins.empty(); }));
  EXPECT_EQ(pair.refused_joins[0], wire::ResetReason::kAdministrativelyProhibited);
  EXPECT_EQ(pair.subflows(pair.server), 1u);
  EXPECT_GE(pair.server.counter(Counter::kJoinRejected), 1u);
  expect_still_delivers(pair);
}

TEST_F(Addresses, TheInitialAddressMayBeAnnouncedWithAnotherPort) {
  Pair pair(17, {PathOptions{}, PathOptions{}});
  pair.add_client_endpoints();
  const PathEndpoint other_port = signal(7, server_address(0), 8080);
  pair.server.environment.paths.endpoints = {other_port};
  pair.server.config.deny_join_initial = true;
  open(pair);
  ASSERT_TRUE(pair.run_until([&] { return pair.subflows(pair.server) == 2; }));
  pair.run_for(100ms);
  const SubflowInfo joined = pair.server.connection->info().subflows[1];
  EXPECT_EQ(joined.tuple.local, (wire::Endpoint{server_address(0), 8080}));
  EXPECT_EQ(joined.local_id, 7);
  EXPECT_EQ(pair.client.connection->info().subflows[1].remote_id, 7);
  // And withdrawn again, under its own ID: the initial subflow has the same address, and stays.
  pair.server.environment.paths.endpoints.clear();
  pair.server.connection->on_endpoint_removed(other_port, pair.now);
  pair.run_for(2s);
  EXPECT_EQ(pair.client.counter(Counter::kRmAddrRx), 1u);
  ASSERT_EQ(pair.subflows(pair.server), 1u);
  EXPECT_TRUE(pair.server.connection->info().subflows[0].is_initial);
  expect_still_delivers(pair);
}

}  // namespace
}  // namespace braid::mptcp
