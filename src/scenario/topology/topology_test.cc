// Topologies: their shape, that all hosts reach each other, and that the paths they promise are used.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "scenario/simulation.h"

namespace braid::scenario {
namespace {

using testing::HasSubstr;

Scenario parsed(const std::string& text) {
  auto scenario = parse_scenario(text, "test.toml");
  EXPECT_TRUE(scenario.has_value()) << (scenario ? "" : scenario.error());
  return scenario ? *scenario : Scenario{};
}

std::string bulk(const std::string& from, const std::string& to, const std::string& more = "") {
  return fmt::format("[[workload]]\nfrom=\"{}\"\nto=\"{}\"\n{}", from, to, more);
}

/// Every host sends to every other; what of it did not arrive.
size_t unreached(const std::string& topology, size_t expected_hosts) {
  const std::string text = "duration = \"30s\"\n[topology]\n" + topology;
  const Scenario hosts = parsed(text + bulk("h0", "h1") + "[hosts.h0]\n[hosts.h1]\n");
  std::string all = text;
  std::vector<std::string> names;
  for (const LinkSpec& link : hosts.links) {
    for (const std::string& end : link.between) {
      if (end[0] == 'h' && std::ranges::count(names, end) == 0) names.push_back(end);
    }
  }
  EXPECT_EQ(names.size(), expected_hosts);
  for (const std::string& from : names) {
    for (const std::string& to : names) {
      if (from != to) all += bulk(from, to, "bytes=20000\n");
    }
  }
  const Results results = simulate(parsed(all));
  EXPECT_EQ(results.connections.size(), names.size() * (names.size() - 1));
  return static_cast<size_t>(
      std::ranges::count_if(results.connections, [](const ConnectionResult& c) { return !c.is_complete; }));
}

uint64_t most_carried(const Results& results, const std::string& link) {
  uint64_t most = 0;
  for (const LinkResult& found : results.links) {
    if (found.name == link) most = std::max(most, found.bytes);
  }
  return most;
}

TEST(Topologies, HaveTheirShape) {
  const auto made = [](const std::string& topology) {
    return parsed("[topology]\n" + topology +
                  "[[workload]]\nfrom=\"client1\"\nto=\"server\"\n[hosts.client1]\n[hosts.server]\n");
  };
  const Scenario tree = made("kind=\"fat-tree\"\nk=4\n");
  EXPECT_EQ(tree.hosts.size(), 16u + 2);
  EXPECT_EQ(tree.routers.size(), 20u);
  EXPECT_EQ(tree.links.size(), 48u);
  const Scenario shared = made("kind=\"shared-bottleneck\"\nclients=3\npaths=2\n");
  EXPECT_EQ(shared.hosts.size(), 4u);
  EXPECT_EQ(shared.links.size(), 7u);
}

TEST(Topologies, AFatTreeCarriesTrafficOverManyPaths) {
  const Results results = simulate(
      parsed("duration = \"1s\"\n[topology]\nkind=\"fat-tree\"\nk=4\nrate=\"100 Mbit/s\"\ndelay=\"20us\"\n"
             "[[workload]]\nfrom=\"h0\"\nto=\"h15\"\nconnections=8\nbytes=\"1 MB\"\n"));
  for (const ConnectionResult& c : results.connections) EXPECT_TRUE(c.is_complete);
  size_t used_core_links = 0;
  for (const LinkResult& link : results.links)
    used_core_links += link.name.find("core") != std::string::npos && link.bytes > 500'000 ? 1 : 0;
  EXPECT_GE(used_core_links, 4u);
}

TEST(Topologies, AllHostsReachEachOther) {
  EXPECT_EQ(unreached("kind=\"fat-tree\"\nk=2\n", 2), 0u);
  EXPECT_EQ(unreached("kind=\"vl2\"\nservers=2\nrate=\"100 Mbit/s\"\n", 8), 0u);
  EXPECT_EQ(unreached("kind=\"vl2\"\naggregation_ports=2\nintermediate_ports=6\nservers=2\n", 6), 0u);
  EXPECT_EQ(unreached("kind=\"bcube\"\nn=3\nk=1\nrate=\"100 Mbit/s\"\n", 9), 0u);
  EXPECT_EQ(unreached("kind=\"bcube\"\nn=2\nk=2\n", 8), 0u);
  EXPECT_EQ(unreached("kind=\"bcube\"\nn=4\nk=0\n", 4), 0u);
}

TEST(Topologies, Vl2IsAClosNetwork) {
  const std::string text = "duration=\"2s\"\n[topology]\nkind=\"vl2\"\nrate=\"20 Mbit/s\"\ndelay=\"20us\"\n";
  const Scenario vl2 = parsed(text + bulk("h0", "h15", "connections=16\n"));
  EXPECT_EQ(vl2.hosts.size(), 16u);
  EXPECT_EQ(vl2.routers.size(), 2u + 4 + 4);
  EXPECT_EQ(vl2.links.size(), 4u * 2 + 4 * 2 + 16);
  const Results results = simulate(vl2);
  // h0 is at the first rack, h15 at the last: over both aggregation switches and both intermediate ones.
  for (const char* link : {"tor0-agg0", "tor0-agg1", "agg0-int0", "agg0-int1", "tor3-agg2", "tor3-agg3"})
    EXPECT_GT(most_carried(results, link), 300'000u) << link;
  // Links between switches are ten times as fast.
  const auto rate = [&](const char* name) {
    return std::ranges::find(vl2.links, name, &LinkSpec::name)->directions[0].bits_per_second;
  };
  EXPECT_EQ(rate("h0-tor0"), 20'000'000u);
  EXPECT_EQ(rate("tor0-agg0"), 200'000'000u);
}

double bcube_goodput(uint32_t n, uint32_t k, const std::string& from, const std::string& to) {
  const Results results = simulate(
      parsed(fmt::format("duration=\"10s\"\n[topology]\nkind=\"bcube\"\nn={}\nk={}\nrate=\"10 Mbit/s\"\n"
                         "delay=\"1ms\"\nqueue=\"50 packets\"\n{}",
                         n, k, bulk(from, to))));
  EXPECT_TRUE(results.is_sound());
  return results.connections[0].goodput_bits_per_s;
}

// k+1 paths that share no link, whether the numbers of the servers differ in all digits, or in some.
TEST(Topologies, ABCubeHasAPathForEachLevel) {
  EXPECT_GT(bcube_goodput(4, 1, "h00", "h33"), 17e6);
  EXPECT_GT(bcube_goodput(4, 1, "h00", "h03"), 17e6);
  EXPECT_GT(bcube_goodput(4, 1, "h00", "h30"), 17e6);
  EXPECT_GT(bcube_goodput(2, 2, "h000", "h111"), 25e6);
  EXPECT_GT(bcube_goodput(2, 2, "h101", "h100"), 25e6);
  EXPECT_LT(bcube_goodput(4, 0, "h0", "h3"), 10e6);
}

TEST(Topologies, ABCubeHasItsShape) {
  const Scenario cube = parsed("[topology]\nkind=\"bcube\"\nn=4\nk=1\n" + bulk("h00", "h33"));
  EXPECT_EQ(cube.hosts.size(), 16u);
  EXPECT_EQ(cube.routers.size(), 2u * 4 + 16);     // switches, and the servers' own
  EXPECT_EQ(cube.links.size(), 16u * 2 + 16 * 2);  // cables, and within servers
}

std::string phone(const std::string& keys) {
  return "duration=\"12s\"\n[topology]\nkind=\"multi-homed-phone\"\n" + keys +
         "[[workload]]\nkind=\"requests\"\nfrom=\"phone\"\nto=\"server\"\nresponse=\"2 MB\"\n";
}

TEST(Topologies, APhoneUsesBothNetworks) {
  const Results results = simulate(parsed(phone("")));
  EXPECT_GT(results.connections[0].goodput_bits_per_s, 14e6);  // LTE alone has 13 Mbit/s
  EXPECT_GT(most_carried(results, "wifi"), 4'000'000u);
  EXPECT_GT(most_carried(results, "cellular"), 4'000'000u);
  EXPECT_EQ(results.connections[0].subflows.size(), 2u);
  const Results slow = simulate(parsed(phone("cellular_kind=\"3g\"\n")));
  EXPECT_LT(most_carried(slow, "cellular"), 3'100'000u);
  EXPECT_GT(most_carried(slow, "cellular"), 1'000'000u);
}

TEST(Topologies, APhoneThatWalksOutOfWifiGoesOn) {
  const Results gone = simulate(parsed(phone("leaves_wifi=\"5s\"\n")));
  EXPECT_TRUE(gone.is_sound());
  EXPECT_LT(gone.connections[0].longest_gap_s, 2.0);  // of the 7 that it is away
  EXPECT_GT(most_carried(gone, "wifi"), 1'000'000u);
  EXPECT_LT(most_carried(gone, "wifi"), 5'000'000u);  // 8 Mbit/s for 2 s, then less and less
  const Results back = simulate(parsed(phone("leaves_wifi=\"5s\"\nreturns=\"7s\"\n")));
  EXPECT_GT(most_carried(back, "wifi"), most_carried(gone, "wifi") + 2'000'000);
}

TEST(Topologies, SayWhatIsWrong) {
  const auto error = [](const std::string& topology) {
    const auto scenario = parse_scenario("[topology]\n" + topology, "test.toml");
    return scenario ? "" : scenario.error();
  };
  EXPECT_THAT(error("kind=\"bcub\"\n"), HasSubstr("there is no \"bcub\"; did you mean \"bcube\"?"));
  EXPECT_THAT(error("k=2\n"), HasSubstr("is needed: one of parallel-paths, shared-bottleneck"));
  EXPECT_THAT(error("kind=\"bcube\"\nn=8\nk=3\n"), HasSubstr("n^(k+1) is 4096 servers; 128 at most"));
  EXPECT_THAT(error("kind=\"vl2\"\naggregation_ports=3\n"), HasSubstr("must be even"));
  EXPECT_THAT(error("kind=\"multi-homed-phone\"\nreturns=3\n"), HasSubstr("needs leaves_wifi"));
  EXPECT_THAT(error("kind=\"multi-homed-phone\"\nleaves_wifi=5\nreturns=3\n"), HasSubstr("must be after"));
  EXPECT_THAT(error("kind=\"multi-homed-phone\"\nwifi={rat=1}\n"),
              HasSubstr("[topology.wifi] has no key \"rat\"; did you mean \"rate\"?"));
}

}  // namespace
}  // namespace braid::scenario
