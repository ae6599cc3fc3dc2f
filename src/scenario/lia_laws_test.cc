// The goals of coupled congestion control (RFC 6356, 2) as laws over random topologies of two to eight paths.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "base/random.h"
#include "scenario/simulation.h"

namespace braid::scenario {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kTopologies = 1;
#else
constexpr uint64_t kTopologies = 6;
#endif
constexpr double kPayload = 1428;  // octets a segment, with timestamps and DSS
constexpr double kSamples = 40, kWarmUp = 10;

double log_uniform(SeededRandom& random, double least, double most) {
  return least * std::pow(most / least, random.unit());
}

struct Rates {
  std::vector<double> totals;  // segments per second at the sender, by connection
  /// Of the first connection, by the link that the subflow's address is on.
  std::vector<double> by_link;
};

/// Without what comes before the windows have found their balance.
Rates measure(const std::string& text, double seconds, size_t links) {
  const auto scenario = parse_scenario(
      fmt::format("duration = {}\ninterval = {}\n{}", seconds, seconds / kSamples, text), "laws");
  EXPECT_TRUE(scenario.has_value()) << (scenario ? "" : scenario.error());
  SimulationOptions options;
  options.records_series = true;
  const Results results = run_simulation(*scenario, options).value();
  Rates rates;
  rates.by_link.resize(links);
  for (size_t c = 0; c < results.connections.size(); ++c) {
    double total = 0;
    for (const SubflowResult& subflow : results.connections[c].subflows) {
      double rate = 0;
      const std::string subject = fmt::format("connection {} subflow {}", c + 1, subflow.index + 1);
      for (const Sample& sample : results.series) {
        if (sample.subject == subject && sample.quantity == std::string_view("rate") &&
            sample.time_s > seconds * kWarmUp / kSamples)
          rate += sample.value / 8 / kPayload / (kSamples - kWarmUp);
      }
      total += rate;
      for (size_t i = 0; c == 0 && i < links; ++i) {  // an address is that of its link: world.cc
        if (subflow.local.starts_with(fmt::format("198.51.100.{}:", 4 * i + 1))) rates.by_link[i] += rate;
      }
    }
    rates.totals.push_back(total);
  }
  return rates;
}

// Nothing but the windows limits; and a segment alone in a small window does not wait for company before it
// is acknowledged, which would make a short round trip a long one.
constexpr const char* kHost =
    "autotune = false\nsend_buffer = \"256 MiB\"\nreceive_buffer = \"256 MiB\"\ndelayed_ack = \"1ms\"\n";

// ---- paths of their own, which lose packets by chance whatever their load

struct Path {
  double loss;
  int one_way_ms;
  double round_trip() const { return 2e-3 * one_way_ms; }
  double reno_rate() const { return std::sqrt(1.5 / loss) / round_trip(); }  // segments per second
};

Rates measure(const std::vector<Path>& paths, double seconds) {
  std::string text = fmt::format(
      "[hosts.client]\ncongestion_control = \"lia\"\n{0}[hosts.server]\n{0}[[workload]]\nfrom = "
      "\"client\"\nto "
      "= \"server\"\n",
      kHost);
  for (size_t i = 0; i < paths.size(); ++i) {
    text += fmt::format(
        "[links.path{0}]\nbetween = [\"client\", \"server\"]\ndelay = "
        "\"{1}ms\"\n[links.path{0}.forward]\nloss "
        "= {2}\n",
        i, paths[i].one_way_ms, paths[i].loss);
  }
  return measure(text, seconds, paths.size());
}

/// RFC 6356's equations and no more, a round trip at a time: windows are spent in whole segments, a loss
/// halves, and costs one round trip without growth. Segments per second.
double model(const std::vector<Path>& paths, double seconds, uint64_t seed) {
  struct Flow {
    Path path;
    double window = 10, due = 0;
    bool is_recovering = false;
  };
  SeededRandom random(seed);
  std::vector<Flow> flows;
  for (const Path& path : paths) flows.push_back({.path = path, .due = path.round_trip()});
  double sent = 0;
  for (;;) {
    Flow& flow = *std::ranges::min_element(flows, {}, &Flow::due);
    if (flow.due > seconds) return sent / seconds / (1 - kWarmUp / kSamples);
    const double whole = std::max(std::floor(flow.window), 1.0);
    if (flow.due > seconds * kWarmUp / kSamples) sent += whole;
    flow.due += flow.path.round_trip();
    if (random.unit() < 1 - std::pow(1 - flow.path.loss, whole)) {
      flow.window = std::max(whole / 2, 1.0);
      flow.is_recovering = true;
    } else if (flow.is_recovering) {
      flow.is_recovering = false;
    } else {
      double best = 0, sum = 0;
      for (const Flow& f : flows) {
        best = std::max(best, f.window / f.path.round_trip() / f.path.round_trip());
        sum += f.window / f.path.round_trip();
      }
      flow.window += std::min(best / (sum * sum) * whole, whole / flow.window);
    }
  }
}

class LiaOnLossyPaths : public ::testing::TestWithParam<uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Topologies, LiaOnLossyPaths, ::testing::Range<uint64_t>(0, kTopologies));

// In theory all windows together grow as the best path's alone would, so (i) holds with equality; loss times
// window is the same on all paths, where uncoupled it is loss times the window's square.
// A rate that follows from n losses is known to about 1 / sqrt(2 n): each path has 45 and more (0.1), a
// connection of several paths or one with 300 losses some hundreds (0.05).
TEST_P(LiaOnLossyPaths, MeetsTheGoals) {
  SeededRandom random(GetParam());
  std::vector<Path> paths(2 + random.below(7));
  for (Path& path : paths) {
    path = {.loss = log_uniform(random, 5e-4, 5e-3), .one_way_ms = 10 + static_cast<int>(random.below(41))};
  }
  const Path best = *std::ranges::max_element(paths, {}, &Path::reno_rate);
  double windows = 0, longest = 0;
  for (const Path& path : paths) {
    windows += 1 / (path.loss * path.round_trip());
    longest = std::max(longest, path.round_trip());
  }
  // 60 losses on the path with the longest round trip.
  const double seconds = 60 * longest * windows / best.reno_rate();
  const double alone = measure({best}, std::max(seconds, 300 / best.loss / best.reno_rate())).totals.at(0);
  const Rates together = measure(paths, seconds);

  // (i) At least what one flow gets on the best path. LIA itself, the model above, gives 0.83 to 1.06 of
  // that: a window of 3.9 segments sends 3, and eight paths have eight such windows. Less 0.05 for each
  // measurement.
  const double total = together.totals.at(0);
  EXPECT_GE(total / alone, 0.73);
  double modelled = 0, modelled_alone = 0;
  for (uint64_t seed = 0; seed < 5; ++seed) {
    modelled += model(paths, 4 * seconds, seed);
    modelled_alone += model({best}, 4 * seconds, seed);
  }
  EXPECT_NEAR(total / alone / (modelled / modelled_alone), 1, 0.2);  // thrice the error of the quotient
  for (size_t a = 0; a < paths.size(); ++a) {
    // (ii) On no path more than one flow alone: 1, and twice the error.
    EXPECT_GT(together.by_link[a], 0);
    EXPECT_LE(together.by_link[a] / paths[a].reno_rate(), 1.2);
    for (size_t b = 0; b < paths.size(); ++b) {
      // (iii) Less on the congested path than uncoupled flows would have there. In theory the ratio of the
      // windows is the square of theirs; the least window is one segment.
      if (paths[a].loss < 3 * paths[b].loss) continue;
      const double window_a = together.by_link[a] * paths[a].round_trip();
      const double window_b = together.by_link[b] * paths[b].round_trip();
      EXPECT_LE(window_a - 1, window_b * std::sqrt(paths[b].loss / paths[a].loss));
    }
  }
}

// ---- bottlenecks that several subflows share, each with a TCP of its own on it

class LiaAtBottlenecks : public ::testing::TestWithParam<uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Topologies, LiaAtBottlenecks, ::testing::Range<uint64_t>(0, kTopologies));

TEST_P(LiaAtBottlenecks, MeetsTheGoals) {
  SeededRandom random(GetParam());
  const size_t bottlenecks = 1 + random.below(3);
  std::vector<size_t> of_subflow;  // which bottleneck it passes
  for (size_t i = 0,
              n = std::max<size_t>(2, bottlenecks) + random.below(9 - std::max<size_t>(2, bottlenecks));
       i < n; ++i)
    of_subflow.push_back(i < bottlenecks ? i : random.below(bottlenecks));
  std::string routers = "\"core\"", hosts, links, workloads;
  for (size_t i = 0; i < of_subflow.size(); ++i)
    links += fmt::format("[links.access{}]\nbetween = [\"coupled\", \"r{}\"]\n", i, of_subflow[i]);
  for (size_t b = 0; b < bottlenecks; ++b) {
    routers += fmt::format(", \"r{}\"", b);
    hosts += fmt::format("[hosts.plain{}]\nmultipath = false\ncongestion_control = \"reno\"\n{}", b, kHost);
    links += fmt::format(
        "[links.plain{0}]\nbetween = [\"plain{0}\", \"r{0}\"]\n[links.bottleneck{0}]\nbetween = [\"r{0}\", "
        "\"core\"]\nrate = \"{1} Mbit/s\"\ndelay = \"{2}ms\"\ndiscipline = \"red\"\n",
        b, 8 + random.below(17), 10 + random.below(31));
    workloads += fmt::format("[[workload]]\nfrom = \"plain{}\"\nto = \"server\"\n", b);
  }
  const std::string text = fmt::format(
      "routers = [{}]\n[hosts.coupled]\ncongestion_control = "
      "\"lia\"\n{}[hosts.server]\n{}{}{}[links.out]\nbetween = "
      "[\"core\", \"server\"]\n[[workload]]\nfrom = \"coupled\"\nto = \"server\"\n{}",
      routers, kHost, kHost, hosts, links, workloads);
  const Rates rates = measure(text, 160, of_subflow.size());
  std::vector<double> coupled(bottlenecks);
  for (size_t i = 0; i < of_subflow.size(); ++i) coupled[of_subflow[i]] += rates.by_link[i];
  // (ii) At a bottleneck all subflows that pass it take together no more than the TCP there: 1 in theory,
  // when no other bottleneck is better. 100 losses or more of each make that known to 0.07 for either.
  for (size_t b = 0; b < bottlenecks; ++b) EXPECT_LE(coupled[b] / rates.totals[1 + b], 1.2) << b;
  // (i) Where there is one bottleneck only, their best path is the TCP's: they get their share.
  if (bottlenecks == 1) {
    EXPECT_GE(coupled[0] / rates.totals[1], 0.75);
  }
}

}  // namespace
}  // namespace braid::scenario
