// Paths that die, return, lose their address: the transfer goes on.
#include <gtest/gtest.h>

#include "support/topology.h"

namespace braid::test {
namespace {

// An endless download over several paths; what is looked at is the client's stream of arrivals.
class PathsTest : public testing::Test {
 protected:
  void start(size_t paths, wire::Family family = wire::Family::kV4) {
    TopologyOptions options;
    options.paths.assign(paths, broadband());
    options.family = family;
    topology = std::make_unique<Topology>(options);
    server = std::make_unique<Server>(*topology->server, topology->server_endpoint(),
                                      TransferOptions{.send_seed = 2, .receive_seed = 1, .is_endless = true});
    client = topology->connect({.send_bytes = 1});
    topology->network.run_for(3s);
    ASSERT_EQ(subflows(), paths);
    client->forget_gaps(topology->network.now());
  }
  size_t subflows() {
    return client->connection() == nullptr ? 0 : client->connection()->info().subflows.size();
  }
  uint64_t down_bytes(host::InterfaceId path) { return topology->client->down(path).totals().bytes; }
  void expect_all_delivered() {
    server->transfers().at(0)->stop(topology->network.now());
    EXPECT_TRUE(topology->network.drive_until([&] { return client->is_done(); }, 60s));
    EXPECT_TRUE(client->is_intact());
    EXPECT_EQ(client->received_bytes(), server->transfers().at(0)->sent_bytes());
  }

  std::unique_ptr<Topology> topology;
  std::unique_ptr<Server> server;
  std::unique_ptr<Transfer> client;
};

// ID 0 is the initial subflow's address: to withdraw an endpoint under it closes the wrong path.
TEST(Endpoints, ThoseOfTheConfigurationGetIdsOfTheirOwn) {
  host::HostConfig config;
  config.paths.endpoints.resize(3);
  config.paths.endpoints[1].id = 1;
  SeededRandom random(1);
  const host::Host host(config, random, Time{});
  std::vector<int> ids;
  for (const mptcp::PathEndpoint& endpoint : host.path_config().endpoints) ids.push_back(endpoint.id);
  EXPECT_EQ(ids, (std::vector<int>{2, 1, 3}));
}

TEST_F(PathsTest, APathThatDiesSilentlyStopsTheStreamForLessThanASecond) {
  for (const size_t dead : {0, 1}) {
    SCOPED_TRACE("path " + std::to_string(dead));
    start(2);
    topology->cut(dead);
    topology->network.run_for(4s);
    EXPECT_LT(client->longest_gap(), 1s);
    const uint64_t before = down_bytes(1 - static_cast<host::InterfaceId>(dead));
    topology->network.run_for(2s);
    EXPECT_GT(down_bytes(1 - static_cast<host::InterfaceId>(dead)) - before, 20'000'000u);  // 80 % of it
    expect_all_delivered();
  }
}

TEST_F(PathsTest, APathThatReturnsIsUsedWithinTwoSeconds) {
  start(2);
  topology->cut(1);
  topology->network.run_for(20s);
  topology->restore(1);
  topology->network.run_for(2s);
  const uint64_t before = down_bytes(1);
  topology->network.run_for(1s);
  EXPECT_GT(down_bytes(1) - before, 1'000'000u);
  expect_all_delivered();
}

TEST_F(PathsTest, AllPathsMayDieForAWhile) {
  start(2);
  topology->cut(0);
  topology->cut(1);
  topology->network.run_for(10s);
  const uint64_t before = client->received_bytes();
  topology->restore(0);
  topology->network.run_for(10s);
  EXPECT_GT(client->received_bytes() - before, 20'000'000u);
  expect_all_delivered();
}

TEST_F(PathsTest, AnAddressMayGoInMidTransfer) {
  for (const host::InterfaceId gone : {0u, 1u}) {
    SCOPED_TRACE("path " + std::to_string(gone));
    start(2);
    topology->client->host().remove_address(gone, client_address(gone), topology->network.now());
    topology->network.run_for(3s);
    EXPECT_LT(client->longest_gap(), 1s);
    EXPECT_EQ(subflows(), 1u);
    expect_all_delivered();
  }
}

TEST_F(PathsTest, AnAddressThatComesBackIsUsedAgain) {
  start(2);
  host::Host& host = topology->client->host();
  host.remove_address(1, client_address(1), topology->network.now());
  topology->network.run_for(3s);
  host.add_address(1, {client_address(1), 28}, topology->network.now());
  topology->network.run_for(2s);
  EXPECT_EQ(subflows(), 2u);
  const uint64_t before = down_bytes(1);
  topology->network.run_for(1s);
  EXPECT_GT(down_bytes(1) - before, 1'000'000u);
  expect_all_delivered();
}

TEST_F(PathsTest, AnInterfaceMayGoDownAndUp) {
  start(2);
  host::Host& host = topology->client->host();
  host.set_interface_up(1, false, topology->network.now());
  topology->network.run_for(5s);
  EXPECT_LT(client->longest_gap(), 1s);
  host.set_interface_up(1, true, topology->network.now());
  topology->network.run_for(2s);
  const uint64_t before = down_bytes(1);
  topology->network.run_for(1s);
  EXPECT_GT(down_bytes(1) - before, 1'000'000u);
  expect_all_delivered();
}

TEST_F(PathsTest, ANewEndpointAddsASubflowToOpenConnections) {
  start(1);
  topology->add_uplink(1, broadband());
  topology->network.run_for(3s);
  EXPECT_EQ(subflows(), 2u);
  EXPECT_GT(down_bytes(1), 10'000'000u);
  expect_all_delivered();
}

TEST_F(PathsTest, ARemovedEndpointClosesItsSubflow) {
  start(2, wire::Family::kV6);
  host::Host& host = topology->client->host();
  const uint8_t id = host.path_config().endpoints.at(0).id;
  EXPECT_EQ(host.remove_endpoint(id, topology->network.now()), host::Error::kNone);
  topology->network.run_for(2s);
  EXPECT_EQ(subflows(), 1u);
  EXPECT_LT(client->longest_gap(), 1s);
  expect_all_delivered();
}

}  // namespace
}  // namespace braid::test
