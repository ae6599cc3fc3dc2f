#include <gtest/gtest.h>

#include "support/topology.h"

namespace braid::test {
namespace {

// A thousand at once over two paths with loss: each gets its own bytes, and nothing is left behind.
TEST(ManyConnections, AThousandAtOnce) {
  constexpr int kConnections = 1000;
  TopologyOptions options;
  options.paths.assign(2, broadband());
  for (LinkConfig& link : options.paths) {
    link.bits_per_second = 1'000'000'000;
    link.queue_bytes = 1u << 20;
    link.loss = 0.001;
  }
  Topology topology(options);
  const TransferOptions server_side{
      .send_bytes = 20'000, .send_seed = 2, .receive_seed = 1, .read_chunk = 4096};
  Server server(*topology.server, topology.server_endpoint(), server_side, {.backlog = kConnections});
  std::vector<std::unique_ptr<Transfer>> clients;
  for (int i = 0; i < kConnections; ++i) {
    clients.push_back(topology.connect({.send_bytes = 5'000, .read_chunk = 4096}));
  }
  const auto done = [&] {
    return std::count_if(clients.begin(), clients.end(), [](const auto& c) { return c->is_done(); });
  };
  ASSERT_TRUE(topology.network.drive_until([&] { return done() == kConnections; }, 60s)) << done();
  for (const auto& client : clients) {
    EXPECT_TRUE(client->is_intact());
    EXPECT_EQ(client->received_bytes(), 20'000u);
  }
  EXPECT_EQ(server.transfers().size(), static_cast<size_t>(kConnections));
  EXPECT_TRUE(topology.network.drive());
  EXPECT_EQ(topology.client->host().connection_count(), 0u);
  EXPECT_EQ(topology.server->host().connection_count(), 0u);
  EXPECT_EQ(topology.client->host().chunks().bytes_in_use(), 0u);
  EXPECT_EQ(topology.server->host().chunks().bytes_in_use(), 0u);
}

}  // namespace
}  // namespace braid::test
