// Opening and closing: listeners, backlogs, refusals, time-outs, TIME-WAIT, handles.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/topology.h"

namespace braid::test {
namespace {

using host::Error;
using mptcp::ConnectionEvent;
using mptcp::Counter;

constexpr TransferOptions kServerSide{.send_seed = 2, .receive_seed = 1};

bool failed_with(Topology& topology, host::ConnectionId id, Error error) {
  for (const host::Event& event : topology.client->unclaimed) {
    if (event.connection == id && event.what == ConnectionEvent::kFailed) {
      return host::to_error(topology.client->host().find(id)->error()) == error;
    }
  }
  return false;
}

TEST(Connecting, AClosedPortRefuses) {
  Topology topology;
  const auto id = topology.client->host().connect(topology.server_endpoint(), {}, topology.network.now());
  ASSERT_TRUE(id.has_value());
  EXPECT_TRUE(topology.network.drive_until([&] { return failed_with(topology, *id, Error::kRefused); }, 2s));
  EXPECT_EQ(topology.server->host().counters()[Counter::kTcpOutRsts], 1u);
  EXPECT_EQ(topology.server->host().connection_count(), 0u);
  EXPECT_EQ(topology.client->host().close(*id, topology.network.now()), Error::kNone);
  EXPECT_TRUE(topology.network.drive());
  EXPECT_EQ(topology.client->host().connection_count(), 0u);
}

TEST(Connecting, ASilentPeerTimesOut) {
  TopologyOptions options;
  options.client.connection.subflow.syn_attempts = 4;
  Topology topology(options);
  topology.cut(0);
  const auto id = topology.client->host().connect(topology.server_endpoint(), {}, topology.network.now());
  ASSERT_TRUE(id.has_value());
  EXPECT_TRUE(
      topology.network.drive_until([&] { return failed_with(topology, *id, Error::kTimedOut); }, 200s));
}

TEST(Connecting, NamesItsErrors) {
  Topology topology;
  host::Host& host = topology.client->host();
  const Time now = topology.network.now();
  const auto remote = topology.server_endpoint();
  EXPECT_EQ(host.connect({remote.address, 0}, {}, now).error(), Error::kInvalidArgument);
  EXPECT_EQ(host.connect(*wire::Endpoint::parse("[2001:db8::1]:80"), {}, now).error(),
            Error::kNetworkUnreachable);
  EXPECT_EQ(host.connect(remote, {.local = *wire::Endpoint::parse("192.0.2.9:0")}, now).error(),
            Error::kAddressNotAvailable);
  const host::ConnectOptions bound{.local = wire::Endpoint{client_address(0), 5555}};
  ASSERT_TRUE(host.connect(remote, bound, now).has_value());
  EXPECT_EQ(host.connect(remote, bound, now).error(), Error::kAddressNotAvailable);
  ASSERT_TRUE(host.listen({client_address(0), 6666}, {}).has_value());
  EXPECT_EQ(host.connect(remote, {.local = wire::Endpoint{client_address(0), 6666}}, now).error(),
            Error::kAddressInUse);
  EXPECT_EQ(host.listen({client_address(0), 6666}, {}).error(), Error::kAddressInUse);
  EXPECT_EQ(host.listen(*wire::Endpoint::parse("192.0.2.9:80"), {}).error(), Error::kAddressNotAvailable);
  host.set_interface_up(0, false, now);
  EXPECT_EQ(host.connect(remote, {}, now).error(), Error::kNetworkUnreachable);
}

TEST(Connecting, EphemeralPortsRunOutPerDestination) {
  TopologyOptions options;
  options.client.first_ephemeral_port = 40000;
  options.client.last_ephemeral_port = 40009;
  Topology topology(options);
  host::Host& host = topology.client->host();
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(host.connect(topology.server_endpoint(80), {}, topology.network.now()).has_value());
  }
  EXPECT_EQ(host.connect(topology.server_endpoint(80), {}, topology.network.now()).error(),
            Error::kAddressNotAvailable);
  EXPECT_TRUE(host.connect(topology.server_endpoint(81), {}, topology.network.now()).has_value());
}

TEST(Connecting, TheBoundAddressChoosesThePath) {
  TopologyOptions options;
  options.paths.assign(2, LinkConfig{});
  options.has_endpoints = false;
  Topology topology(options);
  Server server(*topology.server, topology.server_endpoint(), kServerSide);
  auto client = topology.connect({.send_bytes = 1000}, {.local = wire::Endpoint{client_address(1), 0}});
  ASSERT_TRUE(topology.network.drive_until([&] { return client->is_done(); }));
  EXPECT_EQ(topology.client->up(0).totals().packets, 0u);
  EXPECT_GT(topology.client->up(1).totals().packets, 0u);
}

TEST(Listening, PortZeroGetsAPort) {
  Topology topology;
  const auto listener = topology.server->host().listen(topology.server_endpoint(0), {});
  ASSERT_TRUE(listener.has_value());
  EXPECT_GE(topology.server->host().local_of(*listener)->port, 32768);
}

// A backlog of n lets n + 1 wait, as the kernel's does; who comes later is dropped, and gets in after accept.
TEST(Listening, ABacklogThatIsFullDropsSyns) {
  TopologyOptions options;
  options.paths = {broadband()};
  options.server.syn_cookies = false;
  Topology topology(options);
  const auto listener = topology.server->host().listen(topology.server_endpoint(), {.backlog = 2});
  ASSERT_TRUE(listener.has_value());
  std::vector<std::unique_ptr<Transfer>> clients;
  for (int i = 0; i < 5; ++i) clients.push_back(topology.connect({.is_endless = true}));
  topology.network.run_for(500ms);
  const auto established = [&] {
    return std::count_if(clients.begin(), clients.end(), [](const auto& c) { return c->is_established(); });
  };
  EXPECT_EQ(established(), 3);
  EXPECT_GE(topology.server->host().counters()[Counter::kTcpListenOverflows], 2u);
  ASSERT_FALSE(topology.server->unclaimed.empty());
  EXPECT_EQ(topology.server->unclaimed[0].listener, *listener);
  EXPECT_EQ(topology.server->host().listeners().at(0).waiting, 3u);
  int accepted = 0;
  EXPECT_TRUE(topology.network.drive_until(
      [&] {
        while (topology.server->host().accept(*listener) != host::ConnectionId::kNone) ++accepted;
        return accepted == 5;
      },
      20s));
  EXPECT_EQ(established(), 5);
}

TEST(Listening, ClosingAListenerResetsWhatNobodyAccepted) {
  TopologyOptions options;
  options.paths = {broadband()};
  Topology topology(options);
  host::Host& host = topology.server->host();
  const auto listener = host.listen(topology.server_endpoint(), {});
  auto waiting = topology.connect({.is_endless = true});
  auto accepted = topology.connect({.is_endless = true});
  topology.network.run_for(300ms);
  // In order of arrival: the first is taken by the application, the second never is.
  const host::ConnectionId first = host.accept(*listener);
  ASSERT_NE(first, host::ConnectionId::kNone);
  EXPECT_EQ(host.close(*listener, topology.network.now()), Error::kNone);
  EXPECT_EQ(host.close(*listener, topology.network.now()), Error::kInvalidHandle);
  EXPECT_EQ(host.accept(*listener), host::ConnectionId::kNone);
  topology.network.run_for(300ms);
  EXPECT_NE(waiting->has_failed(), accepted->has_failed());
  EXPECT_EQ(host.connection_count(), 1u);
  EXPECT_NE(host.find(first), nullptr);
  auto late = topology.connect({});
  EXPECT_TRUE(topology.network.drive_until([&] { return late->error() == Error::kRefused; }, 2s));
}

TEST(Listening, ReusePortSharesConnections) {
  Topology topology;
  Server one(*topology.server, topology.server_endpoint(), kServerSide, {.reuse_port = true});
  Server two(*topology.server, topology.server_endpoint(), kServerSide, {.reuse_port = true});
  std::vector<std::unique_ptr<Transfer>> clients;
  for (int i = 0; i < 40; ++i) clients.push_back(topology.connect({.send_bytes = 100}));
  ASSERT_TRUE(topology.network.drive_until([&] {
    return std::all_of(clients.begin(), clients.end(), [](const auto& c) { return c->is_done(); });
  }));
  EXPECT_GT(one.transfers().size(), 5u);
  EXPECT_GT(two.transfers().size(), 5u);
  EXPECT_EQ(one.transfers().size() + two.transfers().size(), 40u);
}

TEST(Handles, AStaleOneReachesNothing) {
  Topology topology;
  Server server(*topology.server, topology.server_endpoint(), kServerSide);
  host::Host& host = topology.client->host();
  const Time now = topology.network.now();
  const auto first = *host.connect(topology.server_endpoint(), {}, now);
  EXPECT_EQ(host.abort(first, now), Error::kNone);
  EXPECT_EQ(host.find(first), nullptr);
  EXPECT_EQ(host.close(first, now), Error::kInvalidHandle);
  topology.network.settle();
  EXPECT_EQ(host.connection_count(), 0u);
  const auto second = *host.connect(topology.server_endpoint(), {}, now);
  EXPECT_NE(first, second);
  EXPECT_EQ(host.find(first), nullptr);
  EXPECT_NE(host.find(second), nullptr);
  EXPECT_EQ(host.find(host::ConnectionId::kNone), nullptr);
  EXPECT_EQ(host.find(host::ConnectionId{UINT64_MAX}), nullptr);
  topology.network.drive(1s);
  for (const host::Event& event : topology.client->unclaimed) EXPECT_NE(event.connection, first);
}

// The client closes first and keeps TIME-WAIT; the same tuple serves the next connection (RFC 6191).
TEST(TimeWait, ATupleIsUsedAgainByANewerSyn) {
  TopologyOptions options;
  options.paths = {broadband()};
  Topology topology(options);
  Server server(*topology.server, topology.server_endpoint(), kServerSide);
  const host::ConnectOptions bound{.local = wire::Endpoint{client_address(0), 5555}};
  auto first = topology.connect({.send_bytes = 1000}, bound);
  ASSERT_TRUE(topology.network.drive_until([&] { return first->is_done() && server.are_all_done(); }));
  topology.network.run_for(2s);
  EXPECT_EQ(topology.client->host().connection_count(), 0u);
  EXPECT_EQ(topology.server->host().connection_count(), 0u);
  const auto count = [](Node& node, Counter counter) { return node.host().counters()[counter]; };
  const uint64_t waits =
      count(*topology.client, Counter::kTcpTimeWait) + count(*topology.server, Counter::kTcpTimeWait);
  EXPECT_GE(waits, 1u);
  // While our own side waits, connect() does not offer the tuple; the peer's side may wait as it likes.
  const auto again =
      topology.client->host().connect(topology.server_endpoint(), bound, topology.network.now());
  if (count(*topology.client, Counter::kTcpTimeWait) > 0) {
    EXPECT_EQ(again.error(), Error::kAddressNotAvailable);
  } else {
    EXPECT_TRUE(again.has_value());
    topology.network.run_for(1s);
    EXPECT_EQ(count(*topology.server, Counter::kTcpTimeWaitRecycled), 1u);
    EXPECT_EQ(server.transfers().size(), 2u);
  }
}

TEST(Strays, AreCountedAndNeverCrash) {
  Topology topology;
  host::Host& host = topology.server->host();
  const std::vector<std::byte> nonsense(60, std::byte{0x45});
  host.receive(0, {copy_to_slice(topology.network.chunks(), nonsense)}, topology.network.now());
  host.receive(0, {copy_to_slice(topology.network.chunks(), std::span(nonsense).first(1))},
               topology.network.now());
  host.receive(99, {copy_to_slice(topology.network.chunks(), nonsense)}, topology.network.now());
  const auto& counters = host.counters();
  EXPECT_EQ(counters[Counter::kIpInHdrErrors] + counters[Counter::kIpInUnknownProtos], 2u);
}

TEST(Resets, AreLimitedInNumberAndNotForResets) {
  Topology topology;
  for (int i = 0; i < 5000; ++i) {
    const auto id = topology.client->host().connect(topology.server_endpoint(), {}, topology.network.now());
    ASSERT_TRUE(id.has_value());
  }
  topology.network.settle();
  topology.network.drive(10ms);
  const auto& counters = topology.server->host().counters();
  EXPECT_GT(counters[Counter::kTcpOutRsts], 0u);
  EXPECT_GT(counters[Counter::kBraidResetsLimited], 0u);
  EXPECT_EQ(topology.client->host().counters()[Counter::kTcpOutRsts], 0u);
}

}  // namespace
}  // namespace braid::test
