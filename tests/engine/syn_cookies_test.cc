// A listener whose backlog is full of handshakes that never end still takes connections (RFC 4987), and they
// are Multipath TCP (RFC 8684, 3.1: all that the server needs comes with the third ACK).
#include <gtest/gtest.h>

#include "support/topology.h"

namespace braid::test {
namespace {

using mptcp::Counter;

constexpr TransferOptions kServerSide{.send_bytes = 200'000, .send_seed = 2, .receive_seed = 1};
constexpr uint32_t kBacklog = 16;

/// A SYN from an address that answers nothing.
void flood(Topology& topology, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    wire::OutgoingSegment syn;
    syn.tuple.local = {wire::IpAddress::v4(0xc6336480u + i % 64), static_cast<uint16_t>(2000 + i)};
    syn.tuple.remote = topology.server_endpoint();
    syn.seq = Seq32(i * 977);
    syn.flags.syn = true;
    syn.window = 65'535;
    syn.options.mss = 1460;
    wire::OutgoingPacket packet;
    wire::build_packet(syn, wire::OffloadSupport::kNone, 0, packet);
    topology.network.inject(packet.header_bytes());
  }
}

struct Case {
  const char* name;
  bool has_timestamps, is_multipath, has_checksum;
  int version;
  double loss;
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

class SynCookies : public ::testing::TestWithParam<Case> {};

TEST_P(SynCookies, ConnectionsComeThroughAFlood) {
  const Case& made = GetParam();
  TopologyOptions options;
  options.paths = {broadband(), broadband()};
  for (LinkConfig& path : options.paths) path.loss = made.loss;
  options.client.connection.is_multipath = made.is_multipath;
  options.client.connection.require_checksum = made.has_checksum;
  options.client.connection.highest_version = static_cast<mptcp::Version>(made.version);
  options.client.connection.subflow.use_timestamps = made.has_timestamps;
  Topology topology(options);
  Server server(*topology.server, topology.server_endpoint(), kServerSide, {.backlog = kBacklog});
  flood(topology, 200);
  topology.network.run_for(50ms);
  const auto& counters = topology.server->host().counters();
  ASSERT_GE(counters[Counter::kTcpSyncookiesSent], 180u);
  ASSERT_LE(topology.server->host().connection_count(), kBacklog + 1) << "nothing is kept for the others";

  std::vector<std::unique_ptr<Transfer>> clients;
  for (int i = 0; i < 5; ++i) clients.push_back(topology.connect({.send_bytes = 300'000}));
  ASSERT_TRUE(topology.network.drive_until([&] {
    return std::all_of(clients.begin(), clients.end(),
                       [](const auto& c) { return c->is_done() || c->has_failed(); });
  }));
  for (const auto& client : clients) {
    EXPECT_FALSE(client->has_failed());
    EXPECT_TRUE(client->is_intact());
    EXPECT_EQ(client->received_bytes(), 200'000u);
  }
  EXPECT_EQ(topology.server->host().counters()[Counter::kTcpSyncookiesRecv], 5u);
  EXPECT_EQ(topology.server->host().counters()[Counter::kMpCapableAckRx], made.is_multipath ? 5u : 0u);
  EXPECT_EQ(topology.server->host().counters()[Counter::kJoinAckRx] > 0, made.is_multipath);
}
INSTANTIATE_TEST_SUITE_P(Matrix, SynCookies,
                         ::testing::Values(Case{"Plain", true, false, false, 1, 0},
                                           Case{"PlainNoTimestamps", false, false, false, 1, 0},
                                           Case{"Multipath", true, true, false, 1, 0},
                                           Case{"MultipathChecksum", true, true, true, 1, 0},
                                           Case{"MultipathNoTimestamps", false, true, false, 1, 0},
                                           Case{"MultipathLossy", true, true, false, 1, 0.05},
                                           Case{"MultipathVersion0", true, true, false, 0, 0}),
                         [](const auto& made) { return made.param.name; });

TEST(SynCookiesOff, AFloodShutsTheListener) {
  TopologyOptions options;
  options.paths = {broadband()};
  options.server.syn_cookies = false;
  Topology topology(options);
  Server server(*topology.server, topology.server_endpoint(), kServerSide, {.backlog = kBacklog});
  flood(topology, 200);
  auto client = topology.connect({.send_bytes = 1000});
  topology.network.run_for(500ms);
  EXPECT_FALSE(client->is_established());
  EXPECT_GE(topology.server->host().counters()[Counter::kTcpListenOverflows], 180u);
}

TEST(SynCookiesForged, AreNoConnections) {
  Topology topology;
  Server server(*topology.server, topology.server_endpoint(), kServerSide, {.backlog = kBacklog});
  flood(topology, 200);
  topology.network.run_for(50ms);
  const size_t before = topology.server->host().connection_count();
  for (uint32_t i = 0; i < 500; ++i) {
    wire::OutgoingSegment ack;
    ack.tuple = {{wire::IpAddress::v4(0xc6336480u), static_cast<uint16_t>(10'000 + i)},
                 topology.server_endpoint()};
    ack.seq = Seq32(i);
    ack.ack = Seq32(i * 0x01010101u);
    ack.flags.ack = true;
    wire::OutgoingPacket packet;
    wire::build_packet(ack, wire::OffloadSupport::kNone, 0, packet);
    topology.network.inject(packet.header_bytes());
  }
  topology.network.run_for(50ms);
  EXPECT_EQ(topology.server->host().connection_count(), before);
  EXPECT_EQ(topology.server->host().counters()[Counter::kTcpSyncookiesFailed], 500u);
}

}  // namespace
}  // namespace braid::test
