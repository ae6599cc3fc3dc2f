// Scenario files: what is wrong with them is said where it is; what they say is what happens.
#include "scenario/scenario.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "scenario/simulation.h"

namespace braid::scenario {
namespace {

constexpr const char* kTwoPaths = R"(
duration = "20s"

[links.one]
between = ["client", "server"]
rate = "10 Mbit/s"
delay = "10ms"

[links.two]
between = ["client", "server"]
rate = "5 Mbit/s"
delay = "20ms"

[[workload]]
from = "client"
to = "server"
bytes = "5 MB"
)";

Scenario parsed(std::string_view text, const std::vector<Override>& overrides = {}) {
  auto scenario = parse_scenario(text, "test.toml", overrides);
  EXPECT_TRUE(scenario.has_value()) << (scenario ? "" : scenario.error());
  return scenario ? *scenario : Scenario{};
}
std::string errors_of(std::string_view text) {
  const auto scenario = parse_scenario(text, "test.toml");
  return scenario ? "" : scenario.error();
}

TEST(ScenarioErrors, SayWhereAndWhatWasExpected) {
  EXPECT_EQ(
      errors_of("[links.a]\nbetween = [\"x\", \"y\"]\nrate = \"fast\"\n"
                "[[workload]]\nfrom = \"x\"\nto = \"y\"\n"),
      "test.toml:3:8: [links.a] rate: expected a rate: bits per second, or a string such as \"10 Mbit/s\" or "
      "\"1 Gbit/s\", found a string\n"
      "test.toml:3:8: [links.a] rate: expected a rate: bits per second, or a string such as \"10 Mbit/s\" or "
      "\"1 Gbit/s\", found a string");
  EXPECT_EQ(
      errors_of("[links.a]\nbetween = [\"x\", \"y\"]\ndelais = 1\n[[workload]]\nfrom = \"x\"\nto = \"z\"\n"),
      "test.toml:3:1: [links.a] has no key \"delais\"; did you mean \"delay\"?\n"
      "test.toml:6:6: [[workload]] to: there is no host \"z\"; did you mean \"x\"?");
  EXPECT_EQ(errors_of(""),
            "test.toml:1:1: there are no links: add [links.NAME] with between = [\"client\", \"server\"]");
  EXPECT_EQ(
      errors_of("[links.a]\nbetween = [\"x\", \"y\"]\nmiddleboxes = [{kind = \"nut\"}]\n").substr(0, 55),
      "test.toml:3:16: there is no middlebox \"nut\": one of opt");
  EXPECT_EQ(errors_of("[links.a]\nbetween = [\"x\"]\n").substr(0, 50),
            "test.toml:2:11: [links.a] between: expected the na");
}

TEST(Scenarios, SettingsOfMiddleboxesAreReadAsTheyAre) {
  const Scenario scenario = parsed(
      "[links.a]\nbetween = [\"x\", \"y\"]\nmiddleboxes = [\n"
      "  {kind = \"mss-clamper\", mss = 1200},\n"
      "  {kind = \"port-blocker\", ports = [80, \"8000-8999\"], action = \"reset\"}]\n"
      "[[workload]]\nfrom = \"x\"\nto = \"y\"\n");
  ASSERT_EQ(scenario.links[0].middleboxes.size(), 2u);
  EXPECT_EQ(scenario.links[0].middleboxes[0].kind, "mss-clamper");
  const sim::MiddleboxOptions& options = scenario.links[0].middleboxes[1].options;
  const auto ports = std::ranges::find(options, "ports", [](const auto& option) { return option.first; });
  ASSERT_NE(ports, options.end());
  EXPECT_EQ(std::get<std::vector<std::string>>(ports->second), (std::vector<std::string>{"80", "8000-8999"}));
  EXPECT_EQ(errors_of("[links.a]\nbetween = [\"x\", \"y\"]\nmiddleboxes = [{kind = \"port-blocker\"}]\n")
                .substr(0, 61),
            "test.toml:3:16: middlebox port-blocker: ports: expected ports");
}

TEST(Scenarios, OverridesComeBeforeChecking) {
  const Scenario scenario = parsed(
      kTwoPaths, {{"links.two.loss", "0.25"}, {"hosts.client.scheduler", "round-robin"}, {"duration", "3s"}});
  EXPECT_EQ(scenario.links[1].directions[0].loss, 0.25);
  EXPECT_EQ(scenario.hosts[0].config.connection.scheduler, "round-robin");
  EXPECT_EQ(scenario.duration, 3s);
  EXPECT_EQ(parse_scenario(kTwoPaths, "x", {{"links.two.los", "1"}}).error().substr(0, 4), "x:0:");
}

TEST(Scenarios, LinksAndInterfacesKeepTheOrderOfTheFile) {
  const Scenario scenario = parsed(
      "[links.z]\nbetween=[\"a\",\"b\"]\n[links.c]\nbetween=[\"a\",\"b\"]\n"
      "[[workload]]\nfrom=\"a\"\nto=\"b\"\n");
  EXPECT_EQ(scenario.links[0].name, "z");
  EXPECT_EQ(scenario.links[1].name, "c");
}

TEST(Scenarios, QueuesComeInBytesPacketsAndTime) {
  const auto queue = [](const std::string& value) {
    return parsed("[links.a]\nbetween=[\"x\",\"y\"]\nrate=\"8 Mbit/s\"\nqueue=" + value +
                  "\n[[workload]]\nfrom=\"x\"\nto=\"y\"\n")
        .links[0]
        .directions[0]
        .queue;
  };
  EXPECT_EQ(queue("\"50 KB\"").limit_bytes, 50'000u);
  EXPECT_EQ(queue("\"100 packets\"").limit_packets, 100u);
  EXPECT_EQ(queue("\"80 ms\"").limit_bytes, 80'000u);
  EXPECT_EQ(queue("3000").limit_bytes, 3000u);
}

TEST(Simulations, TwoPathsAddUp) {
  const Results results = simulate(parsed(kTwoPaths));
  ASSERT_EQ(results.connections.size(), 1u);
  const ConnectionResult& c = results.connections[0];
  EXPECT_TRUE(c.is_complete && c.is_intact);
  EXPECT_EQ(c.bytes, 5'000'000u);
  EXPECT_EQ(c.subflows.size(), 2u);
  EXPECT_GT(c.goodput_bits_per_s, 11e6);
  EXPECT_LT(c.goodput_bits_per_s, 15e6);
}

TEST(Simulations, TheSameSeedGivesTheSameResults) {
  Scenario scenario = parsed(kTwoPaths, {{"links.one.loss", "0.01"}, {"links.two.jitter", "5ms"}});
  const auto json = [&](uint64_t seed) {
    scenario.seed = seed;
    auto result =
        run_simulation(scenario,
                       {.records_series = true, .capture_directory = {}, .event_log = {}, .on_progress = {}})
            .value();
    return result.to_json().dump() + result.series_csv();
  };
  EXPECT_EQ(json(3), json(3));
  EXPECT_NE(json(3), json(4));
}

// What the hosts are told of: both withdraw the address, keep the other path, and use this one again.
TEST(Simulations, APathThatLosesItsCarrierIsLeftAndUsedAgain) {
  for (const char* lost : {"one", "two"}) {
    const std::string event = fmt::format("[[event]]\nlink = \"{}\"\nsilent = false\n", lost);
    const std::string text = std::string(kTwoPaths) + event + "at = \"1s\"\naction = \"down\"\n" + event +
                             "at = \"2s\"\naction = \"up\"\n";
    const Results results =
        simulate(parsed(text, {{"workload", "[{from='client', to='server', bytes='12 MB'}]"}}));
    const ConnectionResult& c = results.connections[0];
    EXPECT_TRUE(c.is_complete && c.is_intact) << lost;
    // Both paths nearly all of the time.
    EXPECT_GT(c.goodput_bits_per_s, 11.5e6) << lost;
  }
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A directory that goes with the test.
struct Workplace {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / fmt::format("braid-test-{}", getpid());
  ~Workplace() { std::filesystem::remove_all(path); }
};

TEST(Simulations, CapturesHoldEveryPacketOfEachInterface) {
  const Workplace workplace;
  const Results results = run_simulation(parsed(kTwoPaths), {.records_series = false,
                                                             .capture_directory = workplace.path.string(),
                                                             .event_log = {},
                                                             .on_progress = {}})
                              .value();
  for (const char* name : {"one", "two"}) {
    uint64_t delivered = 0;
    for (const LinkResult& link : results.links)
      if (link.name == name) delivered += link.packets;
    uint64_t inbound = 0;
    for (const char* host : {"client", "server"}) {
      const std::string bytes = read_file(workplace.path / fmt::format("{}-{}.pcapng", host, name));
      const auto word = [&](size_t at) {
        uint32_t value = 0;
        std::memcpy(&value, bytes.data() + at, sizeof(value));
        return value;
      };
      ASSERT_GT(bytes.size(), 100u);
      EXPECT_EQ(word(0), 0x0a0d0d0au);  // a section header first
      uint64_t last_time = 0;
      for (size_t at = 0; at < bytes.size(); at += word(at + 4)) {
        ASSERT_EQ(word(at + 4), word(at + word(at + 4) - 4)) << "a block's length is at both of its ends";
        if (word(at) != 6) continue;  // an enhanced packet
        const uint64_t time = uint64_t{word(at + 12)} << 32 | word(at + 16);
        EXPECT_GE(time, last_time);
        last_time = time;
        EXPECT_EQ(static_cast<uint8_t>(bytes[at + 28]) >> 4, 4) << "an IPv4 packet";
        // The last option but the end: which way it went.
        inbound += word(at + word(at + 4) - 12) == 1;
      }
      EXPECT_LE(last_time, 20'000'000'000u);
    }
    EXPECT_EQ(inbound, delivered) << name;
  }
}

TEST(Simulations, TheEventLogSaysWhatWasDecidedAndWhy) {
  const Workplace workplace;
  std::filesystem::create_directory(workplace.path);
  const std::string path = workplace.path / "events.jsonl";
  const std::string text =
      std::string(kTwoPaths) + "[[event]]\nat = \"1s\"\nlink = \"one\"\nsilent = false\n";
  run_simulation(parsed(text),
                 {.records_series = false, .capture_directory = {}, .event_log = path, .on_progress = {}})
      .value();
  std::vector<std::string> seen;
  double last = 0;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const auto event = nlohmann::json::parse(line);
    EXPECT_GE(event["time_s"], last);
    last = event["time_s"];
    if (event.value("host", "client") == "client")
      seen.push_back(event["event"].get<std::string>() + " " + event.value("why", ""));
  }
  using testing::Contains;
  EXPECT_EQ(seen.front(), "opened by us");
  for (const char* wanted : {"multipath ", "address-learned ", "subflow-opened ", "subflow-up ", "link-down ",
                             "subflow-ended local-address-gone"})
    EXPECT_THAT(seen, Contains(wanted));
}

TEST(Simulations, EventsHappen) {
  const std::string text = std::string(kTwoPaths) +
                           "[[event]]\nat = \"1s\"\nlink = \"one\"\naction = \"down\"\n"
                           "[[event]]\nat = \"3s\"\nlink = \"one\"\naction = \"up\"\n"
                           "[[event]]\nat = \"3s\"\nlink = \"two\"\nset = {rate = \"1 Mbit/s\"}\n";
  const Results results = simulate(parsed(text));
  EXPECT_TRUE(results.connections[0].is_complete);
  EXPECT_GT(results.links[0].dropped_down, 0u);
  EXPECT_LT(results.connections[0].longest_gap_s, 1.0);
}

TEST(Simulations, EveryKindOfWorkloadDelivers) {
  const std::string links =
      "duration = \"5s\"\n[links.a]\nbetween=[\"x\",\"y\"]\nrate=\"10 Mbit/s\"\ndelay=\"5ms\"\n";
  // Without it blocks wait for the delayed ACK of the one before.
  const std::string no_delay = "[hosts.x]\nno_delay = true\n";
  const Results blocks = simulate(parsed(links + no_delay +
                                         "[[workload]]\nkind=\"blocks\"\nfrom=\"x\"\nto=\"y\"\nsize=1000\n"
                                         "interval=\"20ms\"\n"));
  EXPECT_NEAR(static_cast<double>(blocks.connections[0].delay.count), 249, 3);
  EXPECT_NEAR(blocks.connections[0].delay.median, 0.0058, 0.001);  // 5 ms and a little over 0.8 ms
  const Results requests = simulate(
      parsed(links + "[[workload]]\nkind=\"requests\"\nfrom=\"x\"\nto=\"y\"\nrequests=50\nthink=\"10ms\"\n"
                     "response={distribution=\"pareto\", mean=20000, alpha=1.5}\n"));
  EXPECT_EQ(requests.connections[0].delay.count, 50u);
  EXPECT_TRUE(requests.connections[0].is_complete);
  const Results on_off = simulate(parsed(links + "[[workload]]\nkind=\"on-off\"\nfrom=\"x\"\nto=\"y\"\n"
                                                 "rate=\"2 Mbit/s\"\non=\"500ms\"\noff=\"500ms\"\n"));
  EXPECT_NEAR(static_cast<double>(on_off.connections[0].bytes), 2e6 / 8 * 2.5, 1e5);
  for (const Results* r : {&blocks, &requests, &on_off}) EXPECT_TRUE(r->is_sound());
}

TEST(Simulations, AFailureIsNoSuccess) {
  const Results results =
      simulate(parsed(std::string(kTwoPaths) + "[[event]]\nat = \"1s\"\nhost = \"server\"\n"));
  EXPECT_FALSE(results.connections[0].failure.empty());
  EXPECT_FALSE(results.is_sound());
}

TEST(Examples, AllRun) {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(BRAID_EXAMPLES)) {
    if (entry.path().extension() != ".toml") continue;
    ++count;
    auto scenario = read_scenario(entry.path().string());
    ASSERT_TRUE(scenario.has_value()) << scenario.error();
    scenario->duration = std::min<Duration>(scenario->duration, 3s);
    EXPECT_TRUE(simulate(*scenario).is_sound()) << entry.path();
  }
  EXPECT_GE(count, 10u);
}

// Links are interfaces: rules for paths go by their names.
TEST(ScenarioFile, PathsHaveWeightsByLink) {
  const auto scenario = parse_scenario(R"(
duration = "10s"
[hosts.client]
scheduler = "weighted"
strict_shares = true
[[hosts.client.paths]]
interface = "b"
weight = 3
[links.a]
between = ["client", "server"]
rate = "20 Mbit/s"
delay = "10ms"
[links.b]
between = ["client", "server"]
rate = "20 Mbit/s"
delay = "10ms"
[[workload]]
from = "client"
to = "server"
)",
                                       "weights");
  ASSERT_TRUE(scenario.has_value()) << scenario.error();
  const Results results = simulate(*scenario);
  ASSERT_EQ(results.connections[0].subflows.size(), 2u);
  const auto& subflows = results.connections[0].subflows;
  EXPECT_NEAR(static_cast<double>(subflows[1].sent_bytes) / static_cast<double>(subflows[0].sent_bytes), 3,
              0.2);
}

}  // namespace
}  // namespace braid::scenario
