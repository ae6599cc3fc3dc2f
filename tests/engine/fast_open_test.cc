// TCP Fast Open between two hosts, through networks that do not like it: the bytes arrive, each once, and
// where nothing is in the way a round trip earlier.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "support/topology.h"

namespace braid::test {
namespace {

using mptcp::Counter;

constexpr uint64_t kRequest = 700, kAnswer = 2000;

/// What a network does to SYNs, on their way to the server and back.
enum class Network {
  kClear,
  kDropsData,     // SYNs with data disappear
  kDropsOption,   // SYNs with the option disappear
  kStripsOption,  // the option is taken off, the data stay
  kStripsData,    // the data are taken off, the option stays
  kStripsAnswer,  // the cookie is taken off the SYN/ACK
  kLosesAnswer,   // the first SYN/ACK of each connection disappears
  kRepeatsSyn,    // SYNs come twice
};

enum class Mode { kTcp, kVersion0, kVersion1, kChecksum };

struct Variant {
  Network network;
  Mode mode;
  wire::Family family = wire::Family::kV4;
};

void PrintTo(const Variant& v, std::ostream* os) {
  *os << "network " << static_cast<int>(v.network) << ", mode " << static_cast<int>(v.mode)
      << (v.family == wire::Family::kV4 ? ", IPv4" : ", IPv6");
}

/// Puts a network's manners on the topology's wires.
class Interference {
 public:
  Interference(Topology& topology, Network network) : topology_(topology), network_(network) {
    topology.network.set_tap([this](Node&, host::InterfaceId, const wire::ReceivedPacket& packet) {
      return is_injecting_ || pass(packet);
    });
  }

 private:
  bool pass(const wire::ReceivedPacket& packet) {
    const wire::ParsedPacket parsed = wire::parse_packet(packet);
    const auto* segment = std::get_if<wire::TcpSegment>(&parsed);
    if (segment == nullptr || !segment->flags.syn) return true;
    const bool is_syn = !segment->flags.ack, has_option = segment->options.fast_open.has_value();
    wire::TcpSegment changed = *segment;
    switch (network_) {
      case Network::kClear:
        return true;
      case Network::kDropsData:
        return segment->payload.empty();
      case Network::kDropsOption:
        return !has_option;
      case Network::kStripsOption:
        if (!is_syn || !has_option) return true;
        changed.options.fast_open.reset();
        break;
      case Network::kStripsData:
        if (segment->payload.empty()) return true;
        changed.payload = Slice();
        break;
      case Network::kStripsAnswer:
        if (is_syn || !has_option) return true;
        changed.options.fast_open.reset();
        break;
      case Network::kLosesAnswer:
        return is_syn || segment->ack == last_answered_ || (last_answered_ = segment->ack, false);
      case Network::kRepeatsSyn:
        if (is_syn) inject(*segment);
        return true;
    }
    inject(changed);
    return false;
  }

  void inject(const wire::TcpSegment& segment) {
    wire::OutgoingSegment out;
    out.tuple = {segment.tuple.remote, segment.tuple.local};
    out.seq = segment.seq;
    out.ack = segment.ack;
    out.flags = segment.flags;
    out.window = segment.window;
    out.options = segment.options;
    if (!segment.payload.empty()) out.payload.push_back(segment.payload);
    wire::OutgoingPacket packet;
    wire::build_packet(out, wire::OffloadSupport::kNone, 0, packet);
    std::vector<std::byte> bytes(packet.header_bytes().begin(), packet.header_bytes().end());
    for (const Slice& slice : packet.payload)
      bytes.insert(bytes.end(), slice.bytes().begin(), slice.bytes().end());
    is_injecting_ = true;
    topology_.network.inject(bytes);
    is_injecting_ = false;
  }

  Topology& topology_;
  Network network_;
  Seq32 last_answered_;
  bool is_injecting_ = false;
};

TopologyOptions options_of(const Variant& v) {
  TopologyOptions options;
  options.family = v.family;
  options.paths = {broadband()};
  for (host::HostConfig* config : {&options.client, &options.server}) {
    mptcp::ConnectionConfig& connection = config->connection;
    connection.is_multipath = v.mode != Mode::kTcp;
    if (v.mode == Mode::kVersion0) connection.highest_version = mptcp::Version::kV0;
    connection.require_checksum = v.mode == Mode::kChecksum;
    connection.fast_open = {.as_client = true, .as_server = true, .waits_for_data = true};
  }
  return options;
}

/// The node knows its applications as long as it lives.
using Clients = std::vector<std::unique_ptr<Transfer>>;

/// One request, one answer; how long it took until both ends had all.
Duration exchange(Topology& topology, Server& server, Clients& clients) {
  const Time begin = topology.network.now();
  const size_t before = server.transfers().size();
  Transfer* client = clients.emplace_back(topology.connect({.send_bytes = kRequest})).get();
  EXPECT_TRUE(topology.network.drive_until([&] {
    return client->is_end_seen() && server.transfers().size() > before &&
           server.transfers().back()->is_end_seen();
  })) << "client has "
      << client->received_bytes() << ", error " << to_string(client->error());
  const Duration took = topology.network.now() - begin;
  EXPECT_EQ(client->received_bytes(), kAnswer);
  EXPECT_TRUE(client->is_intact());
  EXPECT_EQ(server.transfers().back()->received_bytes(), kRequest);
  EXPECT_TRUE(server.transfers().back()->is_intact());
  EXPECT_EQ(server.transfers().size(), before + 1);
  EXPECT_TRUE(topology.network.drive(600s));
  EXPECT_EQ(topology.client->host().connection_count() + topology.server->host().connection_count(), 0u);
  return took;
}

class FastOpenThroughNetworks : public testing::TestWithParam<Variant> {};

TEST_P(FastOpenThroughNetworks, EachByteArrivesOnce) {
  Topology topology(options_of(GetParam()));
  const Interference interference(topology, GetParam().network);
  Server server(*topology.server, topology.server_endpoint(),
                {.send_bytes = kAnswer, .send_seed = 2, .receive_seed = 1});
  Clients clients;
  for (int i = 0; i < 4; ++i) exchange(topology, server, clients);
  const mptcp::Counters& ours = topology.client->host().counters();
  const mptcp::Counters& theirs = topology.server->host().counters();
  // A request whose first answer is lost is no failure: the next answer has the cookie too.
  const bool is_possible = GetParam().network == Network::kClear ||
                           GetParam().network == Network::kRepeatsSyn ||
                           GetParam().network == Network::kLosesAnswer;
  EXPECT_EQ(ours[Counter::kTcpFastOpenActive] > 0, is_possible);
  EXPECT_EQ(theirs[Counter::kTcpFastOpenPassive], ours[Counter::kTcpFastOpenActive]);
  // In version 0 the key came with the SYN, and the third ACK need not be seen.
  if (GetParam().mode == Mode::kVersion1 || GetParam().mode == Mode::kChecksum) {
    EXPECT_GE(theirs[Counter::kMpCapableAckRx], 4u);
  }
}

std::vector<Variant> variants() {
  std::vector<Variant> all;
  for (const Network network :
       {Network::kClear, Network::kDropsData, Network::kDropsOption, Network::kStripsOption,
        Network::kStripsData, Network::kStripsAnswer, Network::kLosesAnswer, Network::kRepeatsSyn}) {
    for (const Mode mode : {Mode::kTcp, Mode::kVersion0, Mode::kVersion1, Mode::kChecksum}) {
      all.push_back({network, mode});
    }
  }
  all.push_back({Network::kClear, Mode::kVersion1, wire::Family::kV6});
  return all;
}
INSTANTIATE_TEST_SUITE_P(All, FastOpenThroughNetworks, testing::ValuesIn(variants()));

TEST(FastOpen, SavesARoundTrip) {
  for (const Mode mode : {Mode::kTcp, Mode::kVersion0, Mode::kVersion1}) {
    Topology topology(options_of({Network::kClear, mode}));
    Server server(*topology.server, topology.server_endpoint(),
                  {.send_bytes = kAnswer, .send_seed = 2, .receive_seed = 1});
    std::vector<Duration> first_byte;
    Clients clients;
    for (int i = 0; i < 2; ++i) {
      const Time begin = topology.network.now();
      Transfer* client = clients.emplace_back(topology.connect({.send_bytes = kRequest})).get();
      ASSERT_TRUE(topology.network.drive_until([&] { return client->received_bytes() > 0; }));
      first_byte.push_back(topology.network.now() - begin);
      EXPECT_TRUE(topology.network.drive(600s));
    }
    // The answer's first octet: two round trips of 20 ms, and then one.
    EXPECT_GE(first_byte[0], 40ms);
    EXPECT_LT(first_byte[0], 45ms);
    EXPECT_GE(first_byte[1], 20ms);
    EXPECT_LT(first_byte[1], 25ms);
  }
}

TEST(FastOpen, JoinsFollowAndCarryTheRest) {
  TopologyOptions options = options_of({Network::kClear, Mode::kVersion1});
  options.paths = {broadband(), broadband()};
  Topology topology(options);
  Server server(*topology.server, topology.server_endpoint(),
                {.send_bytes = 1'000'000, .send_seed = 2, .receive_seed = 1});
  size_t most_subflows = 0;
  Clients clients;
  for (int i = 0; i < 2; ++i) {
    Transfer* client = clients.emplace_back(topology.connect({.send_bytes = 1'000'000})).get();
    EXPECT_TRUE(topology.network.drive_until([&] {
      if (mptcp::Connection* c = client->connection())
        most_subflows = std::max(most_subflows, c->info().subflows.size());
      return client->is_done();
    }));
    EXPECT_TRUE(client->is_intact() && client->received_bytes() == 1'000'000);
    EXPECT_TRUE(topology.network.drive(600s));
    EXPECT_TRUE(server.transfers().back()->is_intact());
    EXPECT_EQ(server.transfers().back()->received_bytes(), 1'000'000u);
  }
  EXPECT_EQ(most_subflows, 2u);
  EXPECT_EQ(topology.server->host().counters()[Counter::kTcpFastOpenPassive], 1u);
}

TEST(FastOpen, ADataSynIsNotRaced) {
  // The first path is silent: another SYN with the same data from the second could be a second request.
  TopologyOptions options = options_of({Network::kClear, Mode::kVersion1});
  options.paths = {broadband(), broadband()};
  Topology topology(options);
  Server server(*topology.server, topology.server_endpoint(),
                {.send_bytes = kAnswer, .send_seed = 2, .receive_seed = 1});
  Clients clients;
  exchange(topology, server, clients);
  topology.cut(0);
  auto client = topology.connect({.send_bytes = kRequest});
  topology.network.run_for(5s);
  EXPECT_EQ(server.transfers().size(), 1u);
  topology.restore(0);
  EXPECT_TRUE(topology.network.drive_until([&] { return client->is_done(); }));
  EXPECT_EQ(server.transfers().size(), 2u);
  EXPECT_EQ(server.transfers().back()->received_bytes(), kRequest);
}

}  // namespace
}  // namespace braid::test
