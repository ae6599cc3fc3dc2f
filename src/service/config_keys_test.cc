#include "service/config_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "service/config_check.h"

namespace braid::service {
namespace {

using testing::HasSubstr;

// One of every table, so that the reader asks for all keys.
constexpr std::string_view kOneOfEach = R"(
[connection]
paths = [{address = "192.0.2.0/24", budget = 1}]
[[endpoint]]
address = "192.0.2.1"
flags = ["subflow"]
[[listen]]
port = 443
)";

std::string table_of(const std::string& asked) { return asked == "paths" ? "[connection.paths]" : asked; }

TEST(ConfigKeys, AreThoseThatTheReaderKnows) {
  std::set<std::pair<std::string, std::string>> asked, documented;
  for (const auto& [table, key] : check_config(kOneOfEach, "x").asked) asked.emplace(table_of(table), key);
  for (const ConfigKey& key : config_keys()) documented.emplace(key.table, key.name);
  EXPECT_THAT(documented, testing::ContainerEq(asked));
}

TEST(ConfigKeys, ThePageAboutThemHasTheTables) {
  std::ifstream file(BRAID_SOURCE "/docs/configuration.md");
  std::ostringstream text;
  text << file.rdbuf();
  const std::string page = text.str();
  ASSERT_FALSE(page.empty());
  std::set<std::string_view> tables;
  for (const ConfigKey& key : config_keys()) tables.insert(key.table);
  for (const std::string_view table : tables) {
    EXPECT_THAT(page, HasSubstr(to_markdown(table)))
        << "\nPut the output of `braid config keys --markdown '" << table << "'` into docs/configuration.md.";
  }
}

TEST(ConfigKeys, WhatIsShownReadsBackAsTheSame) {
  const auto config = parse_config(R"(
[connection]
scheduler = "weighted"
paths = [{interface = "wlan0", weight = 3}, {address = "192.0.2.0/24", priority = 1, budget = 50000000}]
send_buffer = "8 MiB"
join_timeout = "2500ms"
labels = [0, 10]
[[endpoint]]
address = "2001:db8::1"
flags = ["signal", "backup"]
port = 8080
id = 4
[network]
ports = "50000-50999"
interfaces = ["eth0"]
gateways = ["eth0=192.0.2.254"]
firewall = "open"
[daemon]
socket = "/run/x"
[[listen]]
port = 443
to = "127.0.0.1:8443"
)",
                                   "braid.toml");
  ASSERT_TRUE(config.has_value()) << config.error();
  const std::string shown = to_toml(*config);
  const auto again = parse_config(shown, "shown");
  ASSERT_TRUE(again.has_value()) << again.error() << shown;
  EXPECT_EQ(to_toml(*again), shown);
  EXPECT_EQ(again->host.connection.send_buffer_bytes, 8u << 20);
  EXPECT_EQ(again->host.connection.join_timeout, Duration(2500ms));
  EXPECT_EQ(again->host.paths.endpoints.at(0).port, 8080);
  EXPECT_EQ(again->host.connection.paths.at(1).policy.budget_bytes, 50'000'000u);
  EXPECT_EQ(again->network.first_port, 50'000);
  EXPECT_EQ(again->network.gateways.at(0).first, "eth0");
  EXPECT_EQ(again->listens.at(0).target.port, 8443);
}

TEST(ConfigKeys, DefaultsAreWrittenForPeople) {
  for (const ConfigKey& key : config_keys()) {
    if (key.name == "send_buffer") {
      EXPECT_EQ(default_of(key), "6 MiB");
    }
    if (key.name == "race_delay") {
      EXPECT_EQ(default_of(key), "250 ms");
    }
    if (key.name == "ports") {
      EXPECT_EQ(default_of(key), "`\"61000-64999\"`");
    }
  }
}

std::vector<std::string> warnings_of(std::string_view text) {
  const CheckedConfig checked = check_config(text, "x");
  EXPECT_TRUE(checked.errors.empty()) << to_text("x", checked.errors.at(0));
  std::vector<std::string> lines;
  for (const config::TomlFinding& w : checked.warnings) lines.push_back(to_text("x", w));
  return lines;
}

TEST(ConfigCheck, FindsAllMistakesInTheOrderOfTheFile) {
  const CheckedConfig checked = check_config(
      "[sockets]\nstream_bufer = 5\n[connection]\nmultipath = 1\nschedular = \"blest\"\nmax_subflows = 300\n",
      "x");
  ASSERT_EQ(checked.errors.size(), 4u);
  EXPECT_EQ(to_text("x", checked.errors[0]),
            "x:2:1: [sockets] has no key \"stream_bufer\"; did you mean \"stream_buffer\"?");
  EXPECT_EQ(to_text("x", checked.errors[1]),
            "x:4:13: [connection] multipath: expected true or false, found an integer");
  EXPECT_EQ(to_text("x", checked.errors[2]),
            "x:5:1: [connection] has no key \"schedular\"; did you mean \"scheduler\"?");
  EXPECT_EQ(to_text("x", checked.errors[3]),
            "x:6:16: [connection] max_subflows: 300 is out of range: 1 to 255");
}

TEST(ConfigCheck, WarnsOfWhatHasNoEffectAtItsPlace) {
  EXPECT_THAT(warnings_of("[connection]\nstandby = true\n"),
              testing::ElementsAre(
                  "x:2:11: [connection] standby: only the scheduler \"weighted\" heeds it, and it is "
                  "\"lowest-rtt\""));
  EXPECT_THAT(warnings_of("[connection]\nmultipath = false\nchecksum = true\n"),
              testing::ElementsAre(HasSubstr("x:3:12: [connection] checksum: has no effect")));
  EXPECT_THAT(warnings_of("[network]\nmtu = 1400\n"), testing::ElementsAre(HasSubstr("without addresses")));
}

TEST(ConfigCheck, WarnsOfWhatContradicts) {
  for (const std::string_view text : {
           "[connection]\nlowest_version = 1\nhighest_version = 0\n",
           "[connection]\nsyn_attempts = 2\n",
           "[connection]\npath_manager = \"label\"\n",
           "[connection]\ndeny_join_initial = true\n[network]\nauto_endpoints = false\n",
           "[connection]\npath_keepalive = 1\n",
           "[limits]\nsubflows = 0\n",
           "[network]\nipv4 = false\nipv6 = false\n",
           "[network]\ninterfaces = [\"a\"]\nexcluded_interfaces = [\"a\"]\n",
           "[network]\nports = \"61000-61099\"\nports_per_instance = 200\n",
           "[[endpoint]]\naddress = \"192.0.2.1\"\n",
           "[[endpoint]]\naddress = \"192.0.2.1\"\nflags = [\"signal\"]\n[network]\nipv4 = false\n",
           "[daemon]\npcap = \"/no/such/place/x.pcap\"\n",
       }) {
    EXPECT_EQ(warnings_of(text).size(), 1u) << text;
  }
}

TEST(ConfigCheck, HasNothingAgainstTheDefaultsNorAgainstPlainTcp) {
  EXPECT_THAT(warnings_of(""), testing::IsEmpty());
  EXPECT_THAT(warnings_of("[connection]\nmultipath = false\n"), testing::IsEmpty());
  EXPECT_THAT(warnings_of("[connection]\nscheduler = \"weighted\"\nstandby = true\n"), testing::IsEmpty());
}

}  // namespace
}  // namespace braid::service
