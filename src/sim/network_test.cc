// Links, routers and hosts together: times are exact, faults are as configured, runs repeat.
#include "sim/network.h"

#include <gtest/gtest.h>

#include "sim/middlebox/nat.h"
#include "sim/testing/two_hosts.h"
#include "wire/byte_order.h"
#include "wire/ip_header.h"
#include "wire/packet.h"

namespace braid::sim {
namespace {

using testing::TwoHosts;

class Collector final : public Port {
 public:
  void receive(Packet packet, Time now) override {
    times.push_back(now);
    packets.push_back(std::move(packet));
  }
  std::vector<Time> times;
  std::vector<Packet> packets;
};

/// A well-formed segment of `size` octets from one address to another.
Packet segment(ChunkPool& pool, size_t size, uint16_t source_port = 1000, uint32_t from = 0xc0000201,
               uint32_t to = 0xc0000202) {
  wire::OutgoingSegment out;
  out.tuple = {{wire::IpAddress::v4(from), source_port}, {wire::IpAddress::v4(to), 80}};
  out.flags.ack = true;
  const std::vector<std::byte> payload(size - 40, std::byte{1});
  out.payload.push_back(copy_to_slice(pool, payload));
  wire::OutgoingPacket packet;
  wire::build_packet(out, wire::OffloadSupport::kNone, 0, packet);
  return wire::flatten(packet, pool);
}

class OneLink : public ::testing::Test {
 protected:
  OneLink() { link.connect(first, second); }
  void configure(const LinkConfig& config) {
    link.configure(Direction::kForward, config, network.now());
    link.configure(Direction::kBackward, config, network.now());
  }
  void send(size_t size) { link.send(Direction::kForward, segment(network.pool(), size), network.now()); }
  ChannelTotals totals() { return link.channel(Direction::kForward).totals(network.now()); }

  Network network{1};
  Link& link = network.add_link("link");
  Collector first, second;
};

TEST_F(OneLink, SerialisesThenPropagates) {
  LinkConfig config;
  config.bits_per_second = 8'000'000;  // an octet a microsecond
  config.delay = 10ms;
  configure(config);
  send(1000);
  send(500);
  network.run_for(1s);
  ASSERT_EQ(second.times.size(), 2u);
  EXPECT_EQ(second.times[0], Time(11ms));
  EXPECT_EQ(second.times[1], Time(11ms + 500us));
  EXPECT_TRUE(first.times.empty());
}

TEST_F(OneLink, DropsEverySoManyth) {
  LinkConfig config;
  config.drop_every = 3;
  configure(config);
  for (int i = 0; i < 10; ++i) send(100);
  network.run_for(1s);
  EXPECT_EQ(second.times.size(), 7u);
  EXPECT_EQ(totals().dropped_loss, 3u);
}

TEST_F(OneLink, WithoutARateOnlyDelays) {
  LinkConfig config;
  config.delay = 7ms;
  configure(config);
  send(1500);
  send(1500);
  network.run_for(1s);
  EXPECT_EQ(second.times, (std::vector{Time(7ms), Time(7ms)}));
}

TEST_F(OneLink, ALimitInBytesDropsTheTail) {
  LinkConfig config;
  config.bits_per_second = 8'000'000;
  config.queue.limit_bytes = 2500;
  configure(config);
  for (int i = 0; i < 5; ++i) send(1000);  // one is being sent, two wait
  network.run_for(1s);
  EXPECT_EQ(second.times.size(), 3u);
  EXPECT_EQ(totals().dropped_queue, 2u);
  EXPECT_EQ(totals().queue_max_bytes, 2000u);
}

TEST_F(OneLink, ALimitInPacketsDropsTheTail) {
  LinkConfig config;
  config.bits_per_second = 8'000'000;
  config.queue.limit_packets = 3;
  configure(config);
  for (int i = 0; i < 10; ++i) send(100);
  network.run_for(1s);
  EXPECT_EQ(second.times.size(), 4u);
}

TEST_F(OneLink, LossIsAsConfigured) {
  LinkConfig config;
  config.loss = 0.1;
  configure(config);
  for (int i = 0; i < 20'000; ++i) send(100);
  network.run_for(1s);
  EXPECT_NEAR(static_cast<double>(totals().dropped_loss), 2000, 200);  // 4.7 standard deviations
  EXPECT_EQ(second.times.size() + totals().dropped_loss, 20'000u);
}

TEST_F(OneLink, BurstsAreAsLongAsConfigured) {
  LinkConfig config;
  config.bursts = GilbertElliott{.to_bad = 0.01, .to_good = 0.25};
  config.delay = 1us;
  configure(config);
  constexpr int kPackets = 100'000;
  int bursts = 0;
  uint64_t lost_before = 0;
  bool was_lost = false;
  for (int i = 0; i < kPackets; ++i) {
    send(100);
    network.run_for(2us);
    const bool is_lost = totals().dropped_loss > lost_before;
    lost_before = totals().dropped_loss;
    bursts += is_lost && !was_lost ? 1 : 0;
    was_lost = is_lost;
  }
  const double mean = static_cast<double>(lost_before) / bursts;
  EXPECT_NEAR(mean, 4.0, 0.5);
  EXPECT_NEAR(static_cast<double>(lost_before) / kPackets, 0.01 / 0.26, 0.006);
}

TEST_F(OneLink, JitterKeepsOrderReorderingDoesNot) {
  LinkConfig config;
  config.delay = 1ms;
  config.jitter = 5ms;
  configure(config);
  for (int i = 0; i < 200; ++i) {
    link.send(Direction::kForward, segment(network.pool(), 100, static_cast<uint16_t>(i)), network.now());
    network.run_for(100us);
  }
  network.run_for(1s);
  const auto port = [](const Packet& p) { return wire::load16(p.bytes.data() + 20); };
  for (size_t i = 1; i < second.packets.size(); ++i)
    EXPECT_LT(port(second.packets[i - 1]), port(second.packets[i]));
  second.packets.clear();
  config.jitter = Duration(0);
  config.reordering = 0.2;
  configure(config);
  for (int i = 0; i < 200; ++i) {
    link.send(Direction::kForward, segment(network.pool(), 100, static_cast<uint16_t>(i)), network.now());
    network.run_for(100us);
  }
  network.run_for(1s);
  ASSERT_EQ(second.packets.size(), 200u);
  int overtaken = 0;
  for (size_t i = 1; i < 200; ++i) overtaken += port(second.packets[i - 1]) > port(second.packets[i]) ? 1 : 0;
  EXPECT_GT(overtaken, 15);
}

TEST_F(OneLink, DuplicatesAndCorrupts) {
  LinkConfig config;
  config.duplication = 0.5;
  config.corruption = 0.5;
  configure(config);
  for (int i = 0; i < 1000; ++i) send(200);
  network.run_for(1s);
  EXPECT_NEAR(static_cast<double>(totals().duplicated), 500, 80);
  EXPECT_EQ(second.packets.size(), 1000 + totals().duplicated);
  size_t bad = 0;
  for (const Packet& packet : second.packets) {
    bad += std::holds_alternative<wire::TcpSegment>(wire::parse_packet(packet)) ? 0 : 1;
  }
  EXPECT_GT(bad, 400u);  // some of the flips hit fields that no checksum covers for this parser
}

TEST_F(OneLink, ATraceSetsTheRate) {
  LinkConfig config;
  config.trace = std::make_shared<RateTrace>(RateTrace::parse("1\n1\n5\n10\n").value());
  configure(config);
  for (int i = 0; i < 6; ++i) send(1500);
  network.run_for(100ms);
  EXPECT_EQ(second.times, (std::vector{Time(1ms), Time(1ms), Time(5ms), Time(10ms), Time(11ms), Time(11ms)}));
  second.times.clear();
  for (int i = 0; i < 4; ++i) send(750);  // two in each opportunity
  network.run_for(100ms);
  EXPECT_EQ(second.times, (std::vector{Time(100ms), Time(100ms), Time(101ms), Time(101ms)}));
}

TEST_F(OneLink, ARateThatChangesHoldsFromThenOn) {
  LinkConfig config;
  config.bits_per_second = 8'000'000;
  configure(config);
  for (int i = 0; i < 3; ++i) send(1000);
  network.run_for(1ms);
  config.bits_per_second = 800'000;
  configure(config);
  network.run_for(1s);
  EXPECT_EQ(second.times, (std::vector{Time(1ms), Time(11ms), Time(21ms)}));
}

TEST_F(OneLink, ACutDropsWhatIsUnderWay) {
  LinkConfig config;
  config.delay = 10ms;
  configure(config);
  send(100);
  network.run_for(5ms);
  link.set_up(false, Link::Notice::kSilent, network.now());
  send(100);
  network.run_for(20ms);
  EXPECT_TRUE(second.times.empty());
  EXPECT_EQ(totals().dropped_down, 2u);
  link.set_up(true, Link::Notice::kSilent, network.now());
  send(100);
  network.run_for(20ms);
  EXPECT_EQ(second.times.size(), 1u);
}

TEST(RateTraces, SayWhatIsWrong) {
  EXPECT_EQ(RateTrace::parse("1\nx\n").error(), "line 2: expected a time in milliseconds, found \"x\"");
  EXPECT_EQ(RateTrace::parse("5\n3\n").error(), "line 2: 3 comes after 5: times must not go back");
  EXPECT_FALSE(RateTrace::parse("").has_value());
}

// ---- routers

class OneRouter : public ::testing::Test {
 protected:
  static constexpr size_t kPorts = 4;
  OneRouter() {
    router.set_address(wire::IpAddress::v4(0xcb007101));
    for (size_t i = 0; i < kPorts; ++i) {
      links[i] = &network.add_link("link" + std::to_string(i));
      const uint32_t port = router.add_port(*links[i], Direction::kForward);
      links[i]->connect(router.port(port), ends[i]);
    }
  }
  void come_in(Packet packet) { links[0]->send(Direction::kBackward, std::move(packet), network.now()); }

  Network network{3};
  Router& router = network.add_router("router");
  std::array<Link*, kPorts> links{};
  std::array<Collector, kPorts> ends;
};

TEST_F(OneRouter, TakesTheLongestPrefix) {
  router.set_route({wire::IpAddress::v4(0), 0}, {1});
  router.set_route({wire::IpAddress::v4(0xc0000200), 24}, {2});
  router.set_route({wire::IpAddress::v4(0xc0000202), 32}, {3});
  come_in(segment(network.pool(), 100, 1, 0xc6336401, 0xc0000202));
  come_in(segment(network.pool(), 100, 1, 0xc6336401, 0xc0000203));
  come_in(segment(network.pool(), 100, 1, 0xc6336401, 0xcb007109));
  network.run_for(1s);
  EXPECT_EQ(ends[3].packets.size(), 1u);
  EXPECT_EQ(ends[2].packets.size(), 1u);
  EXPECT_EQ(ends[1].packets.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<wire::TcpSegment>(wire::parse_packet(ends[3].packets[0])));
  EXPECT_EQ(wire::load8(ends[3].packets[0].bytes.data() + 8), 63u);
}

TEST_F(OneRouter, SpreadsFlowsAndKeepsEach) {
  router.set_route({wire::IpAddress::v4(0), 0}, {1, 2, 3});
  for (int round = 0; round < 3; ++round) {
    for (uint16_t port = 1; port <= 300; ++port) come_in(segment(network.pool(), 100, port));
  }
  network.run_for(1s);
  for (size_t i = 1; i < kPorts; ++i) {
    EXPECT_NEAR(static_cast<double>(ends[i].packets.size()), 300, 75);
    std::map<uint16_t, int> seen;
    for (const Packet& packet : ends[i].packets) ++seen[wire::load16(packet.bytes.data() + 20)];
    for (const auto& [port, count] : seen) EXPECT_EQ(count, 3) << port;
  }
}

TEST_F(OneRouter, AnswersWithIcmp) {
  LinkConfig narrow;
  narrow.mtu = 1000;
  links[1]->configure(Direction::kForward, narrow, network.now());
  router.set_route({wire::IpAddress::v4(0xc0000200), 24}, {1});
  come_in(segment(network.pool(), 1400));
  Packet dying = segment(network.pool(), 100);
  std::byte* const bytes = writable_bytes(dying, network.pool());
  wire::store8(bytes + 8, 1);
  wire::store16(bytes + 10, 0);
  wire::store16(bytes + 10, wire::ipv4_header_checksum({bytes, 20}));
  come_in(std::move(dying));
  come_in(segment(network.pool(), 100, 1, 0xc6336401, 0xcb007109));
  network.run_for(1s);
  EXPECT_TRUE(ends[1].packets.empty());
  ASSERT_EQ(ends[0].packets.size(), 3u);
  std::vector<wire::IcmpErrorKind> kinds;
  for (const Packet& packet : ends[0].packets) {
    const auto parsed = wire::parse_packet(packet);
    ASSERT_TRUE(std::holds_alternative<wire::IcmpError>(parsed));
    kinds.push_back(std::get<wire::IcmpError>(parsed).kind);
  }
  EXPECT_EQ(std::get<wire::IcmpError>(wire::parse_packet(ends[0].packets[0])).mtu, 1000u);
  EXPECT_EQ(kinds, (std::vector{wire::IcmpErrorKind::kPacketTooBig, wire::IcmpErrorKind::kTimeExceeded,
                                wire::IcmpErrorKind::kNetUnreachable}));
}

// ---- hosts

LinkConfig broadband() {
  LinkConfig config;
  config.bits_per_second = 100'000'000;
  config.delay = 10ms;
  config.queue.limit_bytes = 250'000;
  return config;
}

TEST(ThroughANat, PathMtuDiscoveryWorks) {
  // client - NAT - router - narrow link - server: the router's ICMP is about the translated segment.
  Network network(5);
  const wire::IpAddress outside = wire::IpAddress::v4(0xcb007109), gateway = wire::IpAddress::v4(0xcb007101);
  HostNode& client = network.add_host("client", {});
  HostNode& server = network.add_host("server", {});
  Router& router = network.add_router("router");
  router.set_address(gateway);
  Link& home = network.add_link("home");
  Link& narrow = network.add_link("narrow");
  LinkConfig config = broadband();
  for (const Direction d : {Direction::kForward, Direction::kBackward})
    home.configure(d, config, network.now());
  config.mtu = 1200;
  narrow.configure(Direction::kForward, config, network.now());
  config.mtu = 1500;
  narrow.configure(Direction::kBackward, config, network.now());
  Nat::Config translation;
  translation.outside_v4 = outside;
  home.add_middlebox(std::make_unique<Nat>(translation, 7));

  const auto interface = [](const wire::IpAddress& address) {
    host::InterfaceConfig made;
    made.name = "eth0";
    made.addresses = {{address, 30}};
    made.routes = {{wire::IpAddress::any(wire::Family::kV4), 0, 0}};
    return made;
  };
  const wire::IpAddress inside = testing::address_of(0, 1), far = testing::address_of(1, 2);
  const auto a = client.add_interface(interface(inside), home, Direction::kForward);
  const auto b = server.add_interface(interface(far), narrow, Direction::kBackward);
  const uint32_t to_home = router.add_port(home, Direction::kBackward);
  const uint32_t to_server = router.add_port(narrow, Direction::kForward);
  home.connect(client.port(a), router.port(to_home));
  narrow.connect(router.port(to_server), server.port(b));
  router.set_route({outside, 32}, {to_home});
  router.set_route({far, 32}, {to_server});

  testing::BulkEnd client_end(client, 2'000'000, 1, 2), server_end(server, 0, 2, 1);
  server_end.listen({far, 80});
  client_end.connect({far, 80}, network.now());
  size_t errors = 0;
  home.channel(Direction::kBackward).tap_out = [&](const Packet& packet, Time) {
    const auto parsed = wire::parse_packet(packet);
    if (const auto* error = std::get_if<wire::IcmpError>(&parsed)) {
      ++errors;
      EXPECT_EQ(error->tuple.local.address, inside);
    }
  };
  EXPECT_TRUE(network.run_until([&] { return server_end.received == 2'000'000; }, 5s)) << server_end.received;
  EXPECT_TRUE(server_end.is_intact);
  EXPECT_GT(errors, 0u);
  ASSERT_FALSE(client_end.last_info.subflows.empty());
  EXPECT_LE(client_end.last_info.subflows[0].mss, 1160u);
}

class Transfers : public ::testing::TestWithParam<wire::Family> {};
INSTANTIATE_TEST_SUITE_P(Families, Transfers, ::testing::Values(wire::Family::kV4, wire::Family::kV6),
                         [](const auto& made) { return made.param == wire::Family::kV4 ? "V4" : "V6"; });

TEST_P(Transfers, TwoPathsCarryMoreThanOne) {
  TwoHosts hosts({broadband(), broadband()}, {}, 1, GetParam());
  hosts.start(30'000'000, 0);
  ASSERT_TRUE(hosts.finish());
  EXPECT_TRUE(hosts.is_exact(30'000'000, 0));
  const double seconds = std::chrono::duration<double>(hosts.network.now() - Time{}).count();
  EXPECT_GT(30e6 * 8 / seconds, 150e6);
}

TEST_P(Transfers, FaultsDoNotReachTheApplication) {
  LinkConfig bad = broadband();
  bad.loss = 0.01;
  bad.corruption = 0.005;
  bad.duplication = 0.01;
  bad.reordering = 0.02;
  TwoHosts hosts({bad, bad}, {}, 7, GetParam());
  hosts.start(3'000'000, 3'000'000);
  ASSERT_TRUE(hosts.finish());
  EXPECT_TRUE(hosts.is_exact(3'000'000, 3'000'000));
}

TEST_P(Transfers, ACleanLinkIsUsedInFull) {
  host::HostConfig config;
  config.connection.is_multipath = false;
  LinkConfig link = broadband();
  link.queue.limit_bytes = 250'000;  // rate times round trip
  TwoHosts hosts({link}, config, 1, GetParam());
  hosts.start(1'000'000'000, 0);
  hosts.network.run_for(5s);
  const uint64_t before = hosts.server_end->received;
  hosts.network.run_for(20s);
  const double rate = static_cast<double>(hosts.server_end->received - before) * 8 / 20;
  const double headers = GetParam() == wire::Family::kV4 ? 52 : 72;
  EXPECT_GE(rate, 0.97 * 100e6 * (1500 - headers) / 1500);
}

TEST(Determinism, TheSameSeedGivesTheSamePackets) {
  const auto digest = [](uint64_t seed) {
    LinkConfig bad = broadband();
    bad.loss = 0.02;
    bad.jitter = 3ms;
    TwoHosts hosts({bad, bad}, {}, seed);
    uint64_t value = 0;
    for (const auto& link : hosts.network.links()) {
      for (const Direction direction : {Direction::kForward, Direction::kBackward}) {
        link->channel(direction).tap_in = [&value](const Packet& packet, Time now) {
          value = (value ^ static_cast<uint64_t>(now.time_since_epoch().count())) * 0x100000001b3;
          for (const std::byte b : packet.bytes.bytes())
            value = (value ^ static_cast<uint64_t>(b)) * 0x100000001b3;
        };
      }
    }
    hosts.start(1'000'000, 200'000);
    EXPECT_TRUE(hosts.finish());
    return value;
  };
  EXPECT_EQ(digest(5), digest(5));
  EXPECT_NE(digest(5), digest(6));
}

TEST(Hosts, ARestartedPeerResetsTheConnection) {
  TwoHosts hosts({broadband()});
  hosts.start(100'000'000, 0);
  hosts.network.run_for(1s);
  hosts.server->restart(hosts.network.now());
  EXPECT_TRUE(hosts.network.run_until([&] { return hosts.client_end->has_failed; }, 10s));
}

TEST(Hosts, AnotherPathTakesOverWhenOneIsCut) {
  TwoHosts hosts({broadband(), broadband()});
  hosts.start(50'000'000, 0);
  hosts.network.run_for(1s);
  hosts.path(0).set_up(false, Link::Notice::kSilent, hosts.network.now());
  ASSERT_TRUE(hosts.finish(60s));
  EXPECT_TRUE(hosts.is_exact(50'000'000, 0));
}

}  // namespace
}  // namespace braid::sim
