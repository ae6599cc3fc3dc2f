// What sharing the machine's uplinks changes on it, and that it is as before afterwards.
#include "io/network.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>

#include "io/shared_uplinks.h"
#include "io/test_namespace.h"
#include "io/tun_device.h"

namespace braid::io {
namespace {

using testing::HasSubstr;
using testing::Not;

/// A Braid on the calling thread's namespace.
struct Instance {
  EventLoop loop;
  std::unique_ptr<LiveHost> live;
  std::unique_ptr<Network> network;
  host::HostConfig config;

  explicit Instance(const NetworkConfig& network_config = {}) {
    auto opened = Network::open(network_config);
    EXPECT_TRUE(opened.has_value()) << opened.error().message;
    if (!opened) return;
    network = std::move(*opened);
    network->configure(config);
    live = std::make_unique<LiveHost>(loop, config);
    const auto attached = network->attach(*live);
    EXPECT_TRUE(attached.has_value()) << attached.error().message;
  }
  /// Lets notices of changes come in.
  void settle() {
    const Time until = read_clock() + 200ms;
    while (read_clock() < until) loop.run_once(until);
  }
  std::vector<std::string> endpoints() const {
    std::vector<std::string> result;
    for (const auto& e : live->host().path_config().endpoints) result.push_back(e.address.to_string());
    std::sort(result.begin(), result.end());
    return result;
  }
  ~Instance() { network.reset(); }
};

class SharedUplinksTest : public testing::Test {
 protected:
  void SetUp() override {
    BRAID_SKIP_WITHOUT_ROOT();
    here_ = std::make_unique<TestNamespace>("here");
    there_ = std::make_unique<TestNamespace>("there");
    connect_by_path(*here_, *there_, 0);
    connect_by_path(*here_, *there_, 1);
    before_ = here_->snapshot();
  }
  std::unique_ptr<TestNamespace> here_, there_;
  std::string before_;
};

TEST_F(SharedUplinksTest, EverythingIsAsItWasAfterwards) {
  here_->inside([&] {
    Instance braid;
    const std::string during = here_->snapshot();
    EXPECT_THAT(during, HasSubstr("braid0"));
    EXPECT_THAT(during, HasSubstr("to 192.0.2.1 ipproto tcp dport 61000-62999"));
    EXPECT_EQ(braid.config.first_ephemeral_port, 61000);
  });
  EXPECT_EQ(here_->snapshot(), before_);
}

TEST_F(SharedUplinksTest, EveryGlobalAddressIsAnEndpoint) {
  here_->inside([&] {
    const Instance braid;
    EXPECT_THAT(braid.endpoints(),
                testing::ElementsAre("192.0.2.1", "198.51.100.1", "2001:db8:1::1", "2001:db8:2::1"));
  });
}

TEST_F(SharedUplinksTest, TheNextStartUndoesWhatAKilledOneLeft) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    here_->enter();
    const Instance braid;
    braid.network->claim_port({wire::IpAddress::any(wire::Family::kV4), 8080});
    if (write(ready[1], "x", 1) != 1) _exit(1);
    pause();
  }
  char byte;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_NE(here_->snapshot(), before_);
  here_->inside([] { EXPECT_TRUE(clean_up_after_dead_instances().has_value()); });
  EXPECT_EQ(here_->snapshot(), before_);
}

TEST_F(SharedUplinksTest, SeveralCoexistAndTheLastOneOutTurnsOffTheLight) {
  here_->inside([&] {
    auto first = std::make_unique<Instance>();
    auto second = std::make_unique<Instance>();
    EXPECT_NE(first->network->device_name(), second->network->device_name());
    EXPECT_EQ(second->config.first_ephemeral_port, 63000);
    first.reset();
    const std::string rules = here_->run("ip rule");
    EXPECT_THAT(rules, HasSubstr("dport 63000-63999"));
    EXPECT_THAT(rules, Not(HasSubstr("dport 61000")));
    EXPECT_THAT(here_->run("sysctl net.ipv4.conf.path0.forwarding"), HasSubstr("= 1"));
    const Instance third;
    EXPECT_EQ(third.config.first_ephemeral_port, 61000);
  });
  EXPECT_EQ(here_->snapshot(), before_);
}

TEST_F(SharedUplinksTest, ClaimedPortsComeToBraidAndAreKeptFromTheKernel) {
  here_->inside([&] {
    const Instance braid;
    const wire::Endpoint any = {wire::IpAddress::any(wire::Family::kV4), 8080};
    EXPECT_EQ(braid.network->claim_port(any), 0);
    EXPECT_EQ(braid.network->claim_port(any), 0);
    const std::string rule = "to 198.51.100.1 ipproto tcp dport 8080";
    EXPECT_THAT(here_->run("ip rule"), HasSubstr(rule));
    braid.network->release_port(any);
    EXPECT_THAT(here_->run("ip rule"), HasSubstr(rule));
    braid.network->release_port(any);
    EXPECT_THAT(here_->run("ip rule"), Not(HasSubstr(rule)));
    EXPECT_EQ(braid.network->claim_port({wire::IpAddress::v4(0xc0000263), 8080}), EADDRNOTAVAIL);
  });
}

TEST_F(SharedUplinksTest, AnnouncedPortsComeToBraidWhileTheAddressIsThere) {
  here_->inside([&] {
    Instance braid;
    const std::string rule = "to 198.51.100.1 ipproto tcp dport 8443";
    mptcp::PathEndpoint endpoint;
    endpoint.address = wire::IpAddress::v4(0xc6336401);
    endpoint.port = 8443;
    endpoint.is_signal = true;
    const auto id = braid.live->host().add_endpoint(endpoint, braid.live->now());
    ASSERT_TRUE(id.has_value());
    EXPECT_EQ(braid.network->on_endpoints_changed(), 0);
    EXPECT_THAT(here_->run("ip rule"), HasSubstr(rule));
    here_->run("ip addr del 198.51.100.1/24 dev path1");
    braid.settle();
    EXPECT_THAT(here_->run("ip rule"), Not(HasSubstr(rule)));
    here_->run("ip addr add 198.51.100.1/24 dev path1");
    braid.settle();
    EXPECT_THAT(here_->run("ip rule"), HasSubstr(rule));
    EXPECT_EQ(braid.live->host().remove_endpoint(*id, braid.live->now()), host::Error::kNone);
    EXPECT_EQ(braid.network->on_endpoints_changed(), 0);
    EXPECT_THAT(here_->run("ip rule"), Not(HasSubstr(rule)));
  });
}

TEST_F(SharedUplinksTest, APortThatAKernelProgramListensOnIsInUse) {
  here_->inside([&] {
    const Instance braid;
    const int kernel = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(8080);
    ASSERT_EQ(bind(kernel, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    ASSERT_EQ(listen(kernel, 1), 0);
    EXPECT_EQ(braid.network->claim_port({wire::IpAddress::any(wire::Family::kV4), 8080}), EADDRINUSE);
    mptcp::PathEndpoint endpoint;
    endpoint.address = wire::IpAddress::v4(0xc0000201);
    endpoint.port = 8080;
    endpoint.is_signal = true;
    ASSERT_TRUE(braid.live->host().add_endpoint(endpoint, braid.live->now()).has_value());
    EXPECT_EQ(braid.network->on_endpoints_changed(), EADDRINUSE);
    close(kernel);
  });
}

TEST_F(SharedUplinksTest, AddressesAndLinksAreFollowed) {
  here_->inside([&] {
    Instance braid;
    here_->run("ip addr del 198.51.100.1/24 dev path1");
    braid.settle();
    EXPECT_THAT(braid.endpoints(), testing::ElementsAre("192.0.2.1", "2001:db8:1::1", "2001:db8:2::1"));
    EXPECT_THAT(here_->run("ip rule"), Not(HasSubstr("198.51.100.1")));
    here_->run("ip addr add 198.51.100.1/24 dev path1");
    braid.settle();
    EXPECT_THAT(braid.endpoints(), testing::Contains("198.51.100.1"));
    EXPECT_THAT(here_->run("ip rule"), HasSubstr("from 198.51.100.1 iif braid0"));

    connect_by_path(*here_, *there_, 2);
    braid.settle();
    EXPECT_THAT(braid.endpoints(), testing::Contains("203.0.113.1"));
    here_->run("ip link del path2");
    braid.settle();
    EXPECT_THAT(braid.endpoints(), Not(testing::Contains("203.0.113.1")));

    // Its routes went with the link, and come back with it.
    here_->run("ip link set path0 down");
    braid.settle();
    here_->run("ip link set path0 up");
    braid.settle();
    EXPECT_THAT(here_->run("ip route show table all"), HasSubstr("192.0.2.0/24 dev path0 table 86840"));
    here_->run("ip addr replace 2001:db8:1::1/64 dev path0 nodad");
    braid.settle();
    EXPECT_THAT(braid.endpoints(), testing::Contains("2001:db8:1::1"));
  });
}

TEST_F(SharedUplinksTest, RoutesComeAndGo) {
  here_->inside([&] {
    Instance braid;
    const wire::Endpoint far = {*wire::IpAddress::parse("203.0.113.9"), 80};
    EXPECT_EQ(braid.live->host().connect(far, {}, braid.live->now()).error(),
              host::Error::kNetworkUnreachable);
    here_->run("ip route add default via 198.51.100.2 dev path1");
    braid.settle();
    EXPECT_TRUE(braid.live->host().connect(far, {}, braid.live->now()).has_value());
    EXPECT_THAT(here_->run("ip route show table all"),
                HasSubstr("default via 198.51.100.2 dev path1 table 86840"));
    here_->run("ip route del default via 198.51.100.2 dev path1");
    braid.settle();
    EXPECT_FALSE(braid.live->host().connect(far, {}, braid.live->now()).has_value());
  });
}

TEST_F(SharedUplinksTest, StrictReversePathFilteringIsLoosenedAndRestored) {
  here_->run("sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.path1.rp_filter=1");
  before_ = here_->snapshot();
  here_->inside([&] {
    const Instance braid;
    EXPECT_THAT(here_->run("sysctl net.ipv4.conf.all.rp_filter"), HasSubstr("= 0"));
    EXPECT_THAT(here_->run("sysctl net.ipv4.conf.path0.rp_filter"), HasSubstr("= 2"));
    EXPECT_THAT(here_->run("sysctl net.ipv4.conf.lo.rp_filter"), HasSubstr("= 1"));
  });
  EXPECT_EQ(here_->snapshot(), before_);
}

TEST_F(SharedUplinksTest, AWayOutThatOnlyAnotherTableHasIsTaken) {
  here_->run("ip route add default via 192.0.2.2 dev path0 metric 600");
  here_->run("ip route add default via 198.51.100.2 dev path1 table 101");
  here_->inside([&] {
    const Instance braid;
    EXPECT_THAT(here_->run("ip route show table 8684002"), HasSubstr("default via 198.51.100.2 dev path1"));
    EXPECT_EQ(braid.network->report().uplinks[1].default_routes[0].source, "table 101");
    // The machine's own choice comes first.
    const auto id =
        braid.live->host().connect({*wire::IpAddress::parse("203.0.113.9"), 80}, {}, braid.live->now());
    ASSERT_TRUE(id.has_value());
    EXPECT_EQ(braid.live->host().find(*id)->info().local.address.to_string(), "192.0.2.1");
  });
}

TEST_F(SharedUplinksTest, ADestinationThatOnlyOurRoutesReachIsReached) {
  here_->run("ip route add default via 198.51.100.2 dev path1 table 101");
  here_->inside([&] {
    const Instance braid;
    EXPECT_EQ(braid.network->check_route(*wire::IpAddress::parse("203.0.113.9")), 0);
    EXPECT_EQ(braid.network->check_route(*wire::IpAddress::parse("2001:db8:9::9")), ENETUNREACH);
  });
}

TEST_F(SharedUplinksTest, APointToPointLinkLeadsStraightOut) {
  here_->inside([&] {
    // Held open: it has a carrier. Another program's tunnel is none of ours, unless it is asked for by name.
    const auto tunnel = TunDevice::open("lte0");
    ASSERT_TRUE(tunnel.has_value());
    here_->run("ip addr add 203.0.113.1/32 dev lte0");
    here_->run("ip link set lte0 up");
    for (const bool is_named : {false, true}) {
      NetworkConfig config;
      if (is_named) config.interfaces = {"path0", "lte0"};
      const Instance braid(config);
      const std::string routes = here_->run("ip route show table all");
      EXPECT_EQ(routes.find("default dev lte0 table 86840") != std::string::npos, is_named) << routes;
    }
  });
}

TEST_F(SharedUplinksTest, AGivenGatewayIsTakenOnItsLink) {
  here_->inside([&] {
    NetworkConfig config;
    config.gateways = {{"path1", *wire::IpAddress::parse("203.0.113.254")}};
    const Instance braid(config);
    EXPECT_THAT(here_->run("ip route show table 8684002"), HasSubstr("default via 203.0.113.254 dev path1"));
    EXPECT_THAT(here_->run("ip route show table main"), Not(HasSubstr("203.0.113.254")));
  });
}

TEST_F(SharedUplinksTest, AFirewallThatDropsIsOpenedForUsAndClosedAgain) {
  here_->run(
      "nft 'add table inet fw; add chain inet fw a { type filter hook forward priority 0; policy drop; }; "
      "add chain inet fw b { type filter hook forward priority 1; policy accept; }'");
  const std::string rules = here_->run("nft list ruleset");
  here_->inside([&] {
    const Instance braid;
    EXPECT_THAT(braid.network->report().firewall_chains, testing::ElementsAre("inet fw a"));
    EXPECT_THAT(here_->run("nft list chain inet fw a"), HasSubstr("iifname \"braid0\""));
  });
  EXPECT_EQ(here_->run("nft list ruleset"), rules);
  here_->inside([&] {
    NetworkConfig config;
    config.firewall = FirewallMode::kLeave;
    const Instance braid(config);
    EXPECT_EQ(here_->run("nft list ruleset"), rules);
    EXPECT_THAT(braid.network->report().warnings, testing::ElementsAre(HasSubstr("inet fw a")));
  });
}

TEST_F(SharedUplinksTest, ADeprecatedAddressIsInReserveWhileThereIsAnother) {
  here_->inside([&] {
    Instance braid;
    const auto is_backup = [&](const std::string& address) {
      for (const auto& e : braid.live->host().path_config().endpoints) {
        if (e.address.to_string() == address) return e.is_backup;
      }
      ADD_FAILURE() << "no endpoint " << address;
      return false;
    };
    here_->run("ip addr change 2001:db8:1::1/64 dev path0 preferred_lft 0 valid_lft 3600");
    braid.settle();
    EXPECT_FALSE(is_backup("2001:db8:1::1"));
    here_->run("ip addr add 2001:db8:1:1::1/64 dev path0 nodad");
    braid.settle();
    EXPECT_TRUE(is_backup("2001:db8:1::1"));
    EXPECT_FALSE(is_backup("2001:db8:1:1::1"));
    here_->run("ip addr change 2001:db8:1::1/64 dev path0 preferred_lft forever valid_lft forever");
    braid.settle();
    EXPECT_FALSE(is_backup("2001:db8:1::1"));
  });
}

TEST_F(SharedUplinksTest, RoutesAreChecked) {
  here_->inside([&] {
    const Instance braid;
    EXPECT_EQ(braid.network->check_route(*wire::IpAddress::parse("192.0.2.2")), 0);
    EXPECT_EQ(braid.network->check_route(*wire::IpAddress::parse("203.0.113.9")), ENETUNREACH);
    EXPECT_EQ(braid.network->check_route(*wire::IpAddress::parse("2001:db8:2::2")), 0);
    EXPECT_EQ(braid.network->check_route(*wire::IpAddress::parse("2001:db8:9::9")), ENETUNREACH);
  });
}

TEST(NetworkErrors, ADeviceNameThatIsTooLongIsSaid) {
  BRAID_SKIP_WITHOUT_ROOT();
  NetworkConfig config;
  config.device = "a-name-of-more-than-15-characters";
  config.addresses = {{wire::IpAddress::v4(0xc0000201), 24}};
  const auto network = Network::open(config);
  ASSERT_FALSE(network.has_value());
  EXPECT_THAT(network.error().message, HasSubstr("15 characters"));
}

}  // namespace
}  // namespace braid::io
