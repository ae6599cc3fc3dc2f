// Workloads from a list of flows, and routes that the file gives.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "scenario/flow_trace.h"
#include "scenario/simulation.h"

namespace braid::scenario {
namespace {

using testing::HasSubstr;

TEST(FlowTraces, AreLinesOfTimeAndBytes) {
  const auto flows =
      parse_flow_trace("time_s,bytes,from,to\n# a comment\n0,100\r\n\n 0.25 , 2000 , a, b\n", "x.csv");
  ASSERT_TRUE(flows.has_value()) << flows.error();
  ASSERT_EQ(flows->size(), 2u);
  EXPECT_EQ((*flows)[0].bytes, 100u);
  EXPECT_EQ((*flows)[1].at, Time(250ms));
  EXPECT_EQ((*flows)[1].from + (*flows)[1].to, "ab");
}

TEST(FlowTraces, SayWhatIsWrong) {
  const auto error = [](const char* text) { return parse_flow_trace(text, "x.csv").error(); };
  EXPECT_EQ(error("0,1\n0;5\n"),
            "x.csv:2: expected time_s,bytes or time_s,bytes,from,to, such as 0.25,20000; found \"0;5\"");
  EXPECT_EQ(error("-1,5"), "x.csv:1: \"-1\" is no time: seconds, 0 or more");
  EXPECT_EQ(error("1,5.5"), "x.csv:1: \"5.5\" is no size: a whole number of bytes, 1 or more");
  EXPECT_EQ(error("1,0"), "x.csv:1: \"0\" is no size: a whole number of bytes, 1 or more");
  EXPECT_EQ(error("# nothing\n"), "x.csv: there is no flow in it");
}

constexpr const char* kLink = "[links.a]\nbetween=[\"x\",\"y\"]\nrate=\"10 Mbit/s\"\ndelay=\"5ms\"\n";

tl::expected<Scenario, std::string> parse(const std::string& text) { return parse_scenario(text, "t.toml"); }

TEST(FlowTraces, BecomeConnectionsOfTheirTimesAndSizes) {
  const auto scenario = parse(fmt::format("{}{}", kLink,
                                          "[[workload]]\nkind=\"trace\"\nfrom=\"x\"\nto=\"y\"\nstart=1\n"
                                          "flows=[[0, 20000], [0.5, 100000], [0.5, 3000, \"y\", \"x\"]]\n"));
  ASSERT_TRUE(scenario.has_value()) << scenario.error();
  const Results results = simulate(*scenario);
  ASSERT_EQ(results.connections.size(), 3u);
  EXPECT_EQ(results.connections[0].bytes, 20'000u);
  EXPECT_EQ(results.connections[1].bytes, 100'000u);
  EXPECT_EQ(results.connections[1].start_s, 1.5);
  EXPECT_EQ(results.connections[2].from, "y");
  for (const ConnectionResult& c : results.connections) {
    EXPECT_TRUE(c.is_complete);
    EXPECT_EQ(c.kind, "trace");
    EXPECT_EQ(c.delay.count, 1u);
  }
  // A handshake, and 100 kB at 10 Mbit/s.
  EXPECT_GT(results.connections[1].delay.median, 0.08);
  EXPECT_LT(results.connections[1].delay.median, 0.20);
  EXPECT_EQ(results.delay.count, 3u);
}

TEST(FlowTraces, ComeFromAFileBesideTheScenario) {
  const std::string directory = testing::TempDir();
  std::ofstream(directory + "/flows_test.csv") << "0,5000\n0.1,6000\n";
  std::ofstream(directory + "/flows_test.toml")
      << kLink << "[[workload]]\nkind=\"trace\"\nfrom=\"x\"\nto=\"y\"\nfile=\"flows_test.csv\"\n";
  const auto scenario = read_scenario(directory + "/flows_test.toml");
  ASSERT_TRUE(scenario.has_value()) << scenario.error();
  EXPECT_EQ(scenario->workloads.size(), 2u);
  EXPECT_EQ(scenario->workloads[1].bytes, 6000u);
}

TEST(FlowTraces, AreHeldAgainstTheHosts) {
  const auto error = [](const std::string& keys) {
    const auto scenario = parse(fmt::format("{}[[workload]]\nkind=\"trace\"\n{}", kLink, keys));
    return scenario ? "" : scenario.error();
  };
  EXPECT_THAT(error("from=\"x\"\nto=\"y\"\n"),
              HasSubstr("a trace is a file, file = \"flows.csv\", or a list"));
  EXPECT_THAT(error("from=\"x\"\nto=\"y\"\nfile=\"none.csv\"\n"), HasSubstr("none.csv: No such file"));
  EXPECT_THAT(error("to=\"y\"\nflows=[[0, 5]]\n"), HasSubstr("the workload has no `from`"));
  EXPECT_THAT(error("flows=[[0, 5, \"x\", \"z\"]]\n"), HasSubstr("there is no host \"z\""));
  EXPECT_THAT(error("flows=[[0, 5, \"x\", \"x\"]]\n"), HasSubstr("a flow goes from x to x"));
  EXPECT_THAT(error("flows=[[0, 5], 3]\n"), HasSubstr("flow:2: expected time_s,bytes"));
}

// client - left = right - server, over two cables; shortest paths spread over both.
constexpr const char* kCables = R"(
duration = "2s"
routers = ["left", "right"]
[links.in]
between = ["client", "left"]
[links.upper]
between = ["left", "right"]
rate = "10 Mbit/s"
[links.lower]
between = ["left", "right"]
rate = "10 Mbit/s"
[links.out]
between = ["right", "server"]
[[workload]]
from = "client"
to = "server"
connections = 8
)";

uint64_t carried(const Results& results, const std::string& link) {
  for (const LinkResult& found : results.links) {
    if (found.name == link && found.direction == "forward") return found.bytes;
  }
  return 0;
}

TEST(Routes, AreComputedWithoutAFile) {
  const Results results = simulate(parse(kCables).value());
  EXPECT_GT(carried(results, "upper"), 100'000u);
  EXPECT_GT(carried(results, "lower"), 100'000u);
}

TEST(Routes, OfTheFileWin) {
  for (const char* route :
       {"server = \"upper\"", "\"server/out\" = \"upper\"", "\"198.51.100.0/24\" = \"upper\"",
        "default = \"upper\"", "server = [\"upper\"]"}) {
    const auto scenario = parse(fmt::format("{}[routes.left]\n{}\n", kCables, route));
    ASSERT_TRUE(scenario.has_value()) << scenario.error();
    const Results results = simulate(*scenario);
    EXPECT_TRUE(results.is_sound()) << route;
    EXPECT_GT(carried(results, "upper"), 1'000'000u) << route;
    EXPECT_EQ(carried(results, "lower"), 0u) << route;
  }
}

TEST(Routes, MayNameANeighbourOrSeveralLinks) {
  for (const char* route : {"server = \"right\"", "server = [\"upper\", \"lower\"]"}) {
    const Results results = simulate(parse(fmt::format("{}[routes.left]\n{}\n", kCables, route)).value());
    EXPECT_GT(carried(results, "upper"), 100'000u) << route;
    EXPECT_GT(carried(results, "lower"), 100'000u) << route;
  }
}

// One connection, two labels: each of its subflows has a cable of its own, there and back.
TEST(Routes, MayBeForALabelAlone) {
  std::string text = fmt::format(
      "{}[hosts.client]\npath_manager = \"label\"\nlabels = [0, 10]\n"
      "[hosts.server]\nlabels = [10]\n"
      "[routes.left]\nserver = \"upper\"\n\"server@10\" = \"lower\"\n"
      "[routes.right]\nclient = \"upper\"\n\"client@10\" = \"lower\"\n",
      kCables);
  text.replace(text.find("connections = 8"), 15, "connections = 1");
  const auto scenario = parse(text);
  ASSERT_TRUE(scenario.has_value()) << scenario.error();
  const Results results = simulate(*scenario);
  EXPECT_TRUE(results.is_sound());
  EXPECT_EQ(results.connections[0].subflows.size(), 2u);
  EXPECT_GT(carried(results, "upper"), 1'500'000u);
  EXPECT_GT(carried(results, "lower"), 1'500'000u);
  // Its acknowledgements come back over the same cable: the server answers with the label that it sees.
  for (const LinkResult& link : results.links) {
    if (link.name == "lower" && link.direction == "backward") {
      EXPECT_GT(link.bytes, 10'000u);
    }
  }
}

TEST(Routes, SayWhatIsWrong) {
  const auto error = [](const std::string& routes) {
    const auto scenario = parse(fmt::format("{}{}", kCables, routes));
    return scenario ? "" : scenario.error();
  };
  EXPECT_THAT(error("[routes.lefft]\nserver = \"upper\"\n"),
              HasSubstr("there is no router \"lefft\"; did you mean \"left\"?"));
  EXPECT_THAT(error("[routes.left]\nsever = \"upper\"\n"),
              HasSubstr("there is no host \"sever\"; did you mean \"server\"?"));
  EXPECT_THAT(
      error("[routes.left]\nserver = \"uper\"\n"),
      HasSubstr(
          "\"uper\" is neither a link of left nor a neighbour: one of in, client, upper, right, lower"));
  EXPECT_THAT(error("[routes.left]\n\"server/in\" = \"upper\"\n"),
              HasSubstr("server is not on a link \"in\"; it has out"));
  EXPECT_THAT(error("[routes.left]\n\"server@64\" = \"upper\"\n"), HasSubstr("a DSCP value of 0 to 63"));
  EXPECT_THAT(error("[routes.left]\nserver = 5\n"), HasSubstr("expected a link or a neighbour"));
  EXPECT_THAT(error("[routes.left]\n\"192.0.2.0/99\" = \"upper\"\n"), HasSubstr("a destination is a host"));
}

}  // namespace
}  // namespace braid::scenario
