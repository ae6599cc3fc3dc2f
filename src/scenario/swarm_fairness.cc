#include "scenario/swarm_fairness.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/random.h"
#include "scenario/simulation.h"

namespace braid::scenario {

namespace {

// Shares scatter: who loses a packet when is chance. Their mean does not, over some.
constexpr size_t kFewestShares = 30;
constexpr double kMostMean = 1.1;
constexpr double kLeastShare = 1e-3;

double log_uniform(SeededRandom& random, double least, double most) {
  return least * std::pow(most / least, random.unit());
}

}  // namespace

Scenario bottleneck_of(uint64_t seed) {
  SeededRandom random(seed ^ 0x5eedfa17);
  constexpr const char* kCoupled[] = {"lia", "olia", "balia"};
  const char* algorithm = kCoupled[random.below(3)];
  const uint64_t subflows = 2 + random.below(3);
  const double rate = log_uniform(random, 2e6, 20e6);
  const double one_way_ms = log_uniform(random, 5, 50);
  const double queue = rate / 8 * 2 * one_way_ms / 1e3 * log_uniform(random, 0.5, 2);
  std::string text = fmt::format(
      "seed = {}\nduration = \"60s\"\nrouters = [\"r\"]\n[hosts.coupled]\ncongestion_control = \"{}\"\n"
      "[hosts.plain]\nmultipath = false\ncongestion_control = \"reno\"\n",
      seed, algorithm);
  for (uint64_t i = 0; i < subflows; ++i)
    text += fmt::format("[links.a{}]\nbetween = [\"coupled\", \"r\"]\n", i);
  text += fmt::format(
      "[links.b]\nbetween = [\"plain\", \"r\"]\n[links.bottleneck]\nbetween = [\"r\", \"server\"]\nrate = "
      "\"{:.0f} kbit/s\"\ndelay = \"{:.3f}ms\"\nqueue = \"{:.0f} B\"\n{}[[workload]]\nfrom = \"coupled\"\nto "
      "= \"server\"\n[[workload]]\nfrom = \"plain\"\nto = \"server\"\n",
      rate / 1e3, one_way_ms, std::max(queue, 20e3), random.below(2) == 0 ? "discipline = \"red\"\n" : "");
  auto scenario = parse_scenario(text, "swarm");
  BRAID_CHECK(scenario.has_value());
  return *scenario;
}

double share_of_coupled(const Scenario& bottleneck) {
  const Results results = simulate(bottleneck);
  const auto bytes = [&](size_t i) { return static_cast<double>(results.connections[i].bytes); };
  return bytes(0) / std::max(bytes(1), 1.0);
}

FairnessVerdict judge_shares(std::vector<double> shares) {
  FairnessVerdict verdict;
  if (shares.empty()) return verdict;
  std::ranges::sort(shares);
  double sum = 0;
  for (const double share : shares) sum += std::log(std::max(share, kLeastShare));
  verdict.mean = std::exp(sum / static_cast<double>(shares.size()));
  verdict.ninth_decile = shares[shares.size() * 9 / 10];
  verdict.is_judged = shares.size() >= kFewestShares;
  verdict.is_fair = !verdict.is_judged || verdict.mean <= kMostMean;
  return verdict;
}

}  // namespace braid::scenario
