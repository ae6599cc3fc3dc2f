// OLIA, BALIA and wVegas against what their papers say of them, in the simulator. LIA: lia_laws_test.cc.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "scenario/simulation.h"

namespace braid::scenario {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kSeeds = 1;
#else
constexpr uint64_t kSeeds = 3;
#endif

Scenario parsed(const std::string& text) {
  auto scenario = parse_scenario(text, "laws");
  EXPECT_TRUE(scenario.has_value()) << (scenario ? "" : scenario.error());
  return *scenario;
}

/// Over seeds: of each connection.
std::vector<double> mean_goodputs(Scenario scenario) {
  std::vector<double> sums(scenario.workloads.size());
  for (scenario.seed = 1; scenario.seed <= kSeeds; ++scenario.seed) {
    const Results results = simulate(scenario);
    for (size_t i = 0; i < sums.size(); ++i)
      sums[i] += results.connections.at(i).goodput_bits_per_s / static_cast<double>(kSeeds);
  }
  return sums;
}

/// A connection of several subflows and a plain TCP behind one bottleneck.
std::string shared_bottleneck(const std::string& congestion_control, int subflows, const std::string& plain) {
  std::string text =
      fmt::format("duration = \"100s\"\nrouters = [\"r\"]\n[hosts.coupled]\ncongestion_control = \"{}\"\n",
                  congestion_control);
  if (!plain.empty())
    text += fmt::format("[hosts.plain]\nmultipath = false\ncongestion_control = \"{}\"\n", plain);
  for (int i = 0; i < subflows; ++i) text += fmt::format("[links.a{}]\nbetween = [\"coupled\", \"r\"]\n", i);
  if (!plain.empty()) text += "[links.c]\nbetween = [\"plain\", \"r\"]\n";
  text +=
      "[links.bottleneck]\nbetween = [\"r\", \"server\"]\nrate = \"20 Mbit/s\"\ndelay = \"20ms\"\n"
      "discipline = \"red\"\n[[workload]]\nfrom = \"coupled\"\nto = \"server\"\n";
  if (!plain.empty()) text += "[[workload]]\nfrom = \"plain\"\nto = \"server\"\n";
  return text;
}

class CoupledLaw : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(, CoupledLaw, ::testing::Values("olia", "balia"),
                         [](const auto& of) { return of.param; });

// Both papers: no more than about one TCP where all subflows share the bottleneck, and not much less.
TEST_P(CoupledLaw, DoesNoHarmAtASharedBottleneck) {
  for (const int subflows : {2, 4}) {
    const auto goodputs = mean_goodputs(parsed(shared_bottleneck(GetParam(), subflows, "reno")));
    EXPECT_LT(goodputs[0] / goodputs[1], 1.3) << subflows << " subflows";
    EXPECT_GT(goodputs[0] / goodputs[1], 0.65) << subflows << " subflows";
  }
}

// What the law is worth: the same with subflows that know nothing of each other.
TEST(Uncoupled, TakesMoreThanItsShare) {
  const auto goodputs = mean_goodputs(parsed(shared_bottleneck("reno", 2, "reno")));
  EXPECT_GT(goodputs[0] / goodputs[1], 1.6);
}

TEST_P(CoupledLaw, DoesAsWellAsTheBestPathAndLeavesTheWorse) {
  const auto paths = [&](bool has_second) {
    return parsed(fmt::format(
        "duration = \"100s\"\n[hosts.client]\ncongestion_control = \"{}\"\n[links.good]\nbetween = "
        "[\"client\", \"server\"]\ndelay = \"20ms\"\nloss = 0.001\n{}[[workload]]\nfrom = \"client\"\nto = "
        "\"server\"\n",
        GetParam(),
        has_second ? "[links.bad]\nbetween = [\"client\", \"server\"]\ndelay = \"20ms\"\nloss = 0.02\n"
                   : ""));
  };
  EXPECT_GE(mean_goodputs(paths(true))[0] / mean_goodputs(paths(false))[0], 0.85);
  const Results results = simulate(paths(true));
  const auto& subflows = results.connections[0].subflows;
  ASSERT_EQ(subflows.size(), 2u);
  EXPECT_GT(subflows[0].sent_bytes, 5 * subflows[1].sent_bytes);
}

// Two paths that nobody else uses: both are filled.
TEST_P(CoupledLaw, UsesTwoFreePaths) {
  const auto goodputs = mean_goodputs(parsed(fmt::format(
      "duration = \"60s\"\n[hosts.client]\ncongestion_control = \"{}\"\n[links.a]\nbetween = [\"client\", "
      "\"server\"]\nrate = \"10 Mbit/s\"\ndelay = \"10ms\"\n[links.b]\nbetween = [\"client\", \"server\"]\n"
      "rate = \"10 Mbit/s\"\ndelay = \"10ms\"\n[[workload]]\nfrom = \"client\"\nto = \"server\"\n",
      GetParam())));
  EXPECT_GT(goodputs[0], 17e6);
}

// Cao, Xu, Fu 2012: it fills the paths, and their queues stay at a few segments.
TEST(Wvegas, FillsPathsAndKeepsQueuesShort) {
  const auto with = [](const std::string& name) {
    return parsed(fmt::format(
        "duration = \"60s\"\n[hosts.client]\ncongestion_control = \"{}\"\n[links.a]\nbetween = [\"client\", "
        "\"server\"]\nrate = \"10 Mbit/s\"\ndelay = \"20ms\"\nqueue = \"250 KB\"\n[links.b]\nbetween = "
        "[\"client\", \"server\"]\nrate = \"20 Mbit/s\"\ndelay = \"30ms\"\nqueue = \"250 KB\"\n[[workload]]\n"
        "from = \"client\"\nto = \"server\"\n",
        name));
  };
  const Results wvegas = simulate(with("wvegas")), reno = simulate(with("reno"));
  EXPECT_GT(wvegas.connections[0].goodput_bits_per_s, 0.85 * 30e6);
  for (size_t i = 0; i < wvegas.links.size(); ++i) {
    if (wvegas.links[i].direction != "forward") continue;
    EXPECT_LT(wvegas.links[i].queue_mean_bytes, 25e3) << wvegas.links[i].name;  // the ten, and some bursts
    EXPECT_GT(reno.links[i].queue_mean_bytes, 100e3) << reno.links[i].name;
    EXPECT_EQ(wvegas.links[i].dropped_queue, 0u) << wvegas.links[i].name;
  }
}

// Among its like it shares; with a flow that fills queues it gets little (docs/simulator.md says how little).
TEST(Wvegas, SharesABottleneckWithAnother) {
  const auto goodputs = mean_goodputs(parsed(
      "duration = \"100s\"\nrouters = [\"r\"]\n[hosts.one]\ncongestion_control = \"wvegas\"\n[hosts.two]\n"
      "multipath = false\ncongestion_control = \"wvegas\"\n[links.a]\nbetween = [\"one\", \"r\"]\n[links.b]\n"
      "between = [\"one\", \"r\"]\n[links.c]\nbetween = [\"two\", \"r\"]\n[links.bottleneck]\nbetween = "
      "[\"r\", "
      "\"server\"]\nrate = \"20 Mbit/s\"\ndelay = \"20ms\"\n[[workload]]\nfrom = \"one\"\nto = \"server\"\n"
      "[[workload]]\nfrom = \"two\"\nto = \"server\"\n"));
  EXPECT_GT(goodputs[0] + goodputs[1], 17e6);
  EXPECT_GT(goodputs[1] / goodputs[0], 0.4);
  EXPECT_LT(goodputs[1] / goodputs[0], 2.5);
}

}  // namespace
}  // namespace braid::scenario
