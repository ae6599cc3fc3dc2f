// Whatever the network does to packets, the bytes arrive, each once and in order, both ways.
#include <gtest/gtest.h>

#include "support/topology.h"

namespace braid::test {
namespace {

constexpr uint64_t kUpload = 700'001, kDownload = 1'300'003;

struct Outcome {
  uint64_t digest = 0, packets = 0;
  Time end{};
  size_t subflows = 0;
};

Outcome transfer_both_ways(const TopologyOptions& options, const std::string& description) {
  SCOPED_TRACE(description);
  Topology topology(options);
  Server server(*topology.server, topology.server_endpoint(),
                {.send_bytes = kDownload, .send_seed = 2, .receive_seed = 1});
  auto client = topology.connect({.send_bytes = kUpload});
  Outcome outcome;
  const bool is_done = topology.network.drive_until([&] {
    if (mptcp::Connection* c = client->connection(); c != nullptr && client->sent_bytes() > kUpload / 2) {
      outcome.subflows = std::max(outcome.subflows, c->info().subflows.size());
    }
    return client->is_done() && !server.transfers().empty() && server.are_all_done();
  });
  EXPECT_TRUE(is_done) << "client received " << client->received_bytes() << " of " << kDownload
                       << ", server received "
                       << (server.transfers().empty() ? 0 : server.transfers()[0]->received_bytes()) << " of "
                       << kUpload << ", error " << to_string(client->error());
  EXPECT_TRUE(client->is_intact());
  EXPECT_EQ(client->received_bytes(), kDownload);
  if (!server.transfers().empty()) {
    EXPECT_TRUE(server.transfers()[0]->is_intact());
    EXPECT_EQ(server.transfers()[0]->received_bytes(), kUpload);
  }
  outcome.digest = topology.network.packet_digest();
  outcome.packets = topology.network.packets_sent();
  outcome.end = topology.network.now();
  // Everything winds up: no timer goes on for ever, no connection stays.
  EXPECT_TRUE(topology.network.drive(600s));
  EXPECT_EQ(topology.client->host().connection_count(), 0u);
  EXPECT_EQ(topology.server->host().connection_count(), 0u);
  return outcome;
}

enum class Mode { kTcp, kMultipath, kMultipathChecksum };

struct Variant {
  wire::Family family;
  Mode mode;
  size_t paths;
  wire::OffloadSupport offload;
};

void PrintTo(const Variant& v, std::ostream* os) {
  *os << (v.family == wire::Family::kV4 ? "IPv4" : "IPv6")
      << (v.mode == Mode::kTcp         ? " TCP"
          : v.mode == Mode::kMultipath ? " MPTCP"
                                       : " MPTCP with checksum")
      << ", " << v.paths << " paths, offload " << static_cast<int>(v.offload);
}

TopologyOptions options_of(const Variant& v, uint64_t seed) {
  TopologyOptions options;
  options.seed = seed;
  options.family = v.family;
  options.offload = v.offload;
  options.paths.assign(v.paths, broadband());
  for (host::HostConfig* config : {&options.client, &options.server}) {
    config->connection.is_multipath = v.mode != Mode::kTcp;
    config->connection.require_checksum = v.mode == Mode::kMultipathChecksum;
  }
  return options;
}

class TransferMatrix : public testing::TestWithParam<Variant> {};

TEST_P(TransferMatrix, DeliversOnCleanPathsAndUsesThemAll) {
  const Outcome outcome = transfer_both_ways(options_of(GetParam(), 1), "clean");
  EXPECT_EQ(outcome.subflows, GetParam().mode == Mode::kTcp ? 1 : GetParam().paths);
}

// Each seed leaves some faults out and overdoes others.
TEST_P(TransferMatrix, DeliversWhateverTheFaults) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    TopologyOptions options = options_of(GetParam(), seed);
    SeededRandom random(seed * 7919);
    std::string description = "seed " + std::to_string(seed) + ":";
    for (LinkConfig& link : options.paths) {
      link.bits_per_second = 5'000'000 * (1 + random.below(20));
      link.delay = Duration(1ms) * static_cast<int64_t>(1 + random.below(60));
      link.queue_bytes = 20'000 + random.below(200'000);
      if (random.below(2) == 0) link.loss = 0.05 * random.unit();
      if (random.below(2) == 0) link.reordering = 0.2 * random.unit();
      if (random.below(2) == 0) link.duplication = 0.1 * random.unit();
      if (random.below(3) == 0) link.corruption = 0.02 * random.unit();
      description += " [" + std::to_string(link.bits_per_second / 1'000'000) + " Mbit/s " +
                     std::to_string(link.delay / 1ms) + " ms queue " + std::to_string(link.queue_bytes) +
                     " loss " + std::to_string(link.loss) + " reordering " + std::to_string(link.reordering) +
                     " duplication " + std::to_string(link.duplication) + " corruption " +
                     std::to_string(link.corruption) + "]";
    }
    transfer_both_ways(options, description);
    if (HasFailure()) break;
  }
}

std::vector<Variant> variants() {
  std::vector<Variant> all;
  for (const auto family : {wire::Family::kV4, wire::Family::kV6}) {
    all.push_back({family, Mode::kTcp, 1, wire::OffloadSupport::kNone});
    for (const auto mode : {Mode::kMultipath, Mode::kMultipathChecksum}) {
      for (const size_t paths : {1, 2, 3}) all.push_back({family, mode, paths, wire::OffloadSupport::kNone});
    }
  }
  all.push_back({wire::Family::kV4, Mode::kTcp, 1, wire::OffloadSupport::kFull});
  all.push_back({wire::Family::kV4, Mode::kMultipathChecksum, 2, wire::OffloadSupport::kFull});
  all.push_back({wire::Family::kV6, Mode::kMultipath, 2, wire::OffloadSupport::kChecksum});
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, TransferMatrix, testing::ValuesIn(variants()));

TEST(Determinism, TheSameSeedGivesTheSamePackets) {
  TopologyOptions options;
  options.seed = 42;
  options.paths.assign(2, broadband());
  options.paths[1].delay = 25ms;
  for (LinkConfig& link : options.paths) link.loss = 0.01, link.reordering = 0.05;
  const Outcome first = transfer_both_ways(options, "first"), second = transfer_both_ways(options, "second");
  EXPECT_EQ(first.digest, second.digest);
  EXPECT_EQ(first.packets, second.packets);
  EXPECT_EQ(first.end, second.end);
  options.seed = 43;
  EXPECT_NE(transfer_both_ways(options, "another seed").digest, first.digest);
}

// A reader that stops and goes: the window closes, is probed, and opens again.
TEST(FlowControl, ASlowReaderGetsEverything) {
  TopologyOptions options;
  options.paths.assign(2, broadband());
  Topology topology(options);
  Server server(*topology.server, topology.server_endpoint(),
                {.send_bytes = 3'000'000, .send_seed = 2, .receive_seed = 1});
  auto client = topology.connect({.read_chunk = 40'000, .read_pause = 700ms});
  ASSERT_TRUE(topology.network.drive_until([&] { return client->is_done(); }, 300s));
  EXPECT_TRUE(client->is_intact());
  EXPECT_EQ(client->received_bytes(), 3'000'000u);
}

// Two paths of 100 Mbit/s carry what one of them could not.
TEST(Aggregation, TwoPathsAreFasterThanOne) {
  const auto seconds = [](size_t paths) {
    TopologyOptions options;
    options.paths.assign(paths, broadband());
    Topology topology(options);
    Server server(*topology.server, topology.server_endpoint(),
                  {.send_bytes = 40'000'000, .send_seed = 2, .receive_seed = 1});
    auto client = topology.connect({});
    EXPECT_TRUE(topology.network.drive_until([&] { return client->is_done(); }));
    return std::chrono::duration<double>(topology.network.now().time_since_epoch()).count();
  };
  const double one = seconds(1), two = seconds(2);
  EXPECT_LT(one, 40'000'000 * 8 / 100e6 * 1.25);
  EXPECT_LT(two, one * 0.65);
}

}  // namespace
}  // namespace braid::test
