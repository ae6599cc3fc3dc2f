#include "service/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace braid::service {
namespace {

using testing::HasSubstr;

std::string error_of(std::string_view text) {
  const auto config = parse_config(text, "braid.toml");
  return config ? "no error" : config.error();
}

TEST(Config, EveryKeyArrives) {
  const auto config = parse_config(R"(
[connection]
multipath = false
checksum = true
scheduler = "weighted"
strict_shares = true
standby = true
paths = [{interface = "wlan0", weight = 3}, {address = "192.0.2.0/24", priority = 1, budget = "50 MB"}, {}]
congestion_control = "lia"
send_buffer = "8 MiB"
receive_buffer = 1000000
join_timeout = "2500ms"
survive_without_subflows = 90
syn_attempts = 4
[limits]
subflows = 7
add_addr_accepted = 3
[[endpoint]]
address = "192.0.2.1"
flags = ["subflow", "backup"]
id = 9
[[endpoint]]
address = "2001:db8::1"
flags = ["signal"]
port = 8080
[network]
addresses = ["198.51.100.1/24", "2001:db8::2/64"]
interfaces = ["eth0"]
gateways = ["eth1=192.0.2.254", "eth1=2001:db8::1"]
firewall = "open"
ports = "50000-50999"
[sockets]
kernel_fallback = false
stream_buffer = "256 KiB"
[daemon]
socket = "/run/x"
pcap = "/tmp/x.pcap"
log_level = "debug"
)",
                                   "braid.toml");
  ASSERT_TRUE(config.has_value()) << config.error();
  const mptcp::ConnectionConfig& c = config->host.connection;
  EXPECT_FALSE(c.is_multipath);
  EXPECT_TRUE(c.require_checksum);
  EXPECT_EQ(c.scheduler, "weighted");
  EXPECT_TRUE(c.scheduler_options.is_share_strict);
  EXPECT_TRUE(c.scheduler_options.is_standby);
  ASSERT_EQ(c.paths.size(), 3u);
  EXPECT_EQ(c.paths[0].policy.weight, 3u);
  EXPECT_EQ(c.paths[1].policy.priority, 1u);
  EXPECT_EQ(c.paths[1].policy.budget_bytes, 50'000'000u);
  EXPECT_TRUE(c.paths[0].fits("wlan0", *wire::IpAddress::parse("192.0.2.7")));
  EXPECT_FALSE(c.paths[0].fits("wlan1", *wire::IpAddress::parse("192.0.2.7")));
  EXPECT_TRUE(c.paths[1].fits("any", *wire::IpAddress::parse("192.0.2.7")));
  EXPECT_FALSE(c.paths[1].fits("any", *wire::IpAddress::parse("198.51.100.7")));
  EXPECT_FALSE(c.paths[1].fits("any", *wire::IpAddress::parse("2001:db8::1")));
  EXPECT_TRUE(c.paths[2].fits("any", *wire::IpAddress::parse("2001:db8::1")));
  EXPECT_EQ(c.congestion_control, "lia");
  EXPECT_EQ(c.send_buffer_bytes, 8u << 20);
  EXPECT_EQ(c.receive_buffer_bytes, 1000000u);
  EXPECT_EQ(c.join_timeout, 2500ms);
  EXPECT_EQ(c.survive_without_subflows, 90s);
  EXPECT_EQ(c.subflow.syn_attempts, 4u);
  EXPECT_EQ(config->host.paths.limits.subflows, 7);
  EXPECT_EQ(config->host.paths.limits.add_addr_accepted, 3);
  ASSERT_EQ(config->host.paths.endpoints.size(), 2u);
  EXPECT_EQ(config->host.paths.endpoints[0].id, 9);
  EXPECT_TRUE(config->host.paths.endpoints[0].is_backup);
  EXPECT_EQ(config->host.paths.endpoints[1].port, 8080);
  EXPECT_TRUE(config->host.paths.endpoints[1].is_signal);
  ASSERT_EQ(config->network.addresses.size(), 2u);
  EXPECT_EQ(config->network.addresses[0].prefix_bits, 24);
  EXPECT_EQ(config->network.addresses[1].address.to_string(), "2001:db8::2");
  ASSERT_EQ(config->network.gateways.size(), 2u);
  EXPECT_EQ(config->network.gateways[0].first, "eth1");
  EXPECT_EQ(config->network.gateways[1].second.to_string(), "2001:db8::1");
  EXPECT_EQ(config->network.firewall, io::FirewallMode::kOpen);
  EXPECT_EQ(config->network.first_port, 50000);
  EXPECT_EQ(config->network.last_port, 50999);
  EXPECT_FALSE(config->sockets.kernel_fallback);
  EXPECT_EQ(config->sockets.stream_buffer_bytes, 256u << 10);
  EXPECT_EQ(config->socket_path, "/run/x");
  EXPECT_EQ(config->capture_path, "/tmp/x.pcap");
  EXPECT_EQ(config->log_level, "debug");
}

TEST(Config, AnEmptyFileIsTheDefaults) {
  const auto config = parse_config("", "braid.toml");
  ASSERT_TRUE(config.has_value());
  EXPECT_EQ(config->host.connection.scheduler, mptcp::ConnectionConfig{}.scheduler);
}

TEST(Config, MistakesAreShownWithTheirPlaceAndWhatWasMeant) {
  EXPECT_EQ(error_of("[connection]\nschedular = \"lowest-rtt\"\n"),
            "braid.toml:2:1: [connection] has no key \"schedular\"; did you mean \"scheduler\"?");
  EXPECT_THAT(error_of("[connection]\npaths = [{weight = 0}]\n"), HasSubstr("out of range"));
  EXPECT_THAT(error_of("[connection]\npaths = [{wieght = 1}]\n"), HasSubstr("did you mean \"weight\""));
  EXPECT_THAT(error_of("[connection]\npaths = [{address = \"192.0.2.0/33\"}]\n"), HasSubstr("prefix"));
  EXPECT_THAT(error_of("[connection]\npaths = [\"wlan0\"]\n"), HasSubstr("tables"));
  EXPECT_EQ(error_of("[conection]\n"),
            "braid.toml:1:2: unknown table [conection]; did you mean [connection]?");
  EXPECT_EQ(error_of("[limits]\nsubflows = \"many\"\n"),
            "braid.toml:2:12: [limits] subflows: expected an integer from 0 to 64, found a string");
  EXPECT_THAT(error_of("[limits]\nsubflows = 1000\n"), HasSubstr("1000 is out of range: 0 to 64"));
  EXPECT_THAT(error_of("[connection]\ncongestion_control = \"cubik\"\n"),
              HasSubstr("did you mean \"cubic\"?"));
  EXPECT_THAT(error_of("[connection]\njoin_timeout = \"soon\"\n"), HasSubstr("braid.toml:2:16"));
  EXPECT_THAT(error_of("[network]\naddresses = [\"192.0.2.1/99\"]\n"), HasSubstr("\"192.0.2.1/99\""));
  EXPECT_THAT(error_of("[network]\ngateways = [\"192.0.2.1\"]\n"), HasSubstr("eth1=192.0.2.254"));
  EXPECT_THAT(error_of("[network]\nfirewall = \"closed\"\n"), HasSubstr("replies"));
  EXPECT_THAT(error_of("[network]\nports = \"9-5\"\n"), HasSubstr("61000-64999"));
  EXPECT_THAT(error_of("[[endpoint]]\nflags = [\"signl\"]\n"), HasSubstr("did you mean \"signal\"?"));
  EXPECT_THAT(error_of("[[endpoint]]\nflags = [\"signal\"]\n"), HasSubstr("address: is needed"));
  EXPECT_THAT(error_of("[connection\n"), HasSubstr("braid.toml:1:"));
  EXPECT_THAT(error_of("connection = 5\n"), HasSubstr("must be a table"));
}

TEST(Config, ListeningRelaysAndRulesArrive) {
  const auto config = parse_config(R"(
[[listen]]
port = 443
[[listen]]
port = 80
address = "192.0.2.1"
to = "[2001:db8::7]:8080"
proxy_protocol = true
max_connections = 5
[[rule]]
program = "ssh"
action = "kernel"
)",
                                   "braid.toml");
  ASSERT_TRUE(config.has_value()) << config.error();
  ASSERT_EQ(config->listens.size(), 2u);
  EXPECT_EQ(config->listens[0].to_string(), "port 443 to 127.0.0.1:443");
  EXPECT_EQ(config->listens[0].max_connections, 10'000u);
  EXPECT_EQ(config->listens[1].to_string(), "192.0.2.1:80 to [2001:db8::7]:8080");
  EXPECT_TRUE(config->listens[1].sends_proxy_header);
  EXPECT_EQ(config->listens[1].max_connections, 5u);
  EXPECT_EQ(config->policy.rules().size(), 1u);
  EXPECT_THAT(error_of("[[listen]]\nto = \"127.0.0.1:80\"\n"), HasSubstr("port: is needed"));
  EXPECT_THAT(error_of("[[listen]]\nport = 80\nto = \"8080\"\n"), HasSubstr("braid.toml:3:6"));
  EXPECT_THAT(error_of("[[listen]]\nport = 80\nproxy_protocl = true\n"), HasSubstr("\"proxy_protocol\""));
  EXPECT_THAT(error_of("[[rule]]\naction = \"x\"\n"), HasSubstr("braid.toml:2:10"));
}

TEST(Config, AllMistakesAreShownAtOnce) {
  const std::string error = error_of("[limits]\nsubflows = -1\n[daemon]\nsocket = 5\n");
  EXPECT_THAT(error, HasSubstr("braid.toml:2:"));
  EXPECT_THAT(error, HasSubstr("\nbraid.toml:4:"));
}

}  // namespace
}  // namespace braid::service
