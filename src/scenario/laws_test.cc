// The simulator against what is known: response functions of congestion control, full use of a clean link,
// equal shares of equal flows, the goals of coupled congestion control (RFC 6356, 2).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "scenario/simulation.h"

namespace braid::scenario {
namespace {

Scenario parsed(const std::string& text) {
  auto scenario = parse_scenario(text, "laws");
  EXPECT_TRUE(scenario.has_value()) << (scenario ? "" : scenario.error());
  return *scenario;
}

double mean_goodput(Scenario scenario, size_t connection = 0) {
  double sum = 0;
  constexpr uint64_t kSeeds = 3;
  for (scenario.seed = 1; scenario.seed <= kSeeds; ++scenario.seed)
    sum += simulate(scenario).connections.at(connection).goodput_bits_per_s;
  return sum / kSeeds;
}

enum class Losses : uint8_t { kRandom, kPeriodic };

struct Law {
  const char* congestion_control;
  double loss;
  int round_trip_ms;
  Losses losses;
};

// The formulas are of losses at equal distances, which make every period of the window like the one before.
// Losses by chance, at distances of exponential distribution, do the same to Reno within the tolerance, since
// what recovery costs and what chance gives nearly cancel out. CUBIC's curve answers a longer distance with
// more than its share: RFC 9438's own equations, integrated over such distances, give up to 1.24 times the
// formula where the curve meets Reno's (100 ms, 0.001). So CUBIC is held against periodic losses.
// Reno's points with periodic losses of 0.01 are not here: its window is 8 to 16 segments then, and of the 9
// round trips between losses one is recovery, which the formula leaves out, as it does whole segments: 0.85.
class ResponseFunction : public ::testing::TestWithParam<Law> {};
INSTANTIATE_TEST_SUITE_P(Grid, ResponseFunction, ::testing::ValuesIn([] {
                           std::vector<Law> grid;
                           for (const double loss : {0.001, 0.003, 0.01}) {
                             for (const char* cc : {"reno", "lia"}) {
                               for (const int ms : {20, 100}) grid.push_back({cc, loss, ms, Losses::kRandom});
                             }
                             grid.push_back({"cubic", loss, 20, Losses::kRandom});
                             for (const int ms : {20, 50, 100}) {
                               grid.push_back({"cubic", loss, ms, Losses::kPeriodic});
                               if (loss > 0.005) continue;
                               grid.push_back({"reno", loss, ms, Losses::kPeriodic});
                               grid.push_back({"lia", loss, ms, Losses::kPeriodic});
                             }
                           }
                           // Where the curve alone decides: 1.5 times Reno's window and more.
                           for (const int ms : {100, 200})
                             grid.push_back({"cubic", 1e-4, ms, Losses::kPeriodic});
                           return grid;
                         }()),
                         [](const auto& made) {
                           return fmt::format("{}_{}_{}ms_{}", made.param.congestion_control,
                                              static_cast<int>(made.param.loss * 1e4),
                                              made.param.round_trip_ms,
                                              made.param.losses == Losses::kRandom ? "random" : "periodic");
                         });

// Segments in flight: sqrt(3 / 2p) for Reno (Mathis et al., 1997) and for LIA with one subflow; RFC 9438, 5.1
// for CUBIC, where that is more.
TEST_P(ResponseFunction, IsMet) {
  const Law law = GetParam();
  const bool is_cubic = law.congestion_control == std::string("cubic");
  const bool is_coupled = law.congestion_control == std::string("lia");
  const bool is_periodic = law.losses == Losses::kPeriodic;
  const double round_trip = law.round_trip_ms * 1e-3;
  const double reno = std::sqrt(1.5 / law.loss);
  const double cubic = 1.0538 * std::pow(round_trip / law.loss, 0.75);
  const double window = is_cubic ? std::max(reno, cubic) : reno;
  const double expected = window * (is_coupled ? 1428 : 1448) * 8 / round_trip;
  // Some hundred losses, whatever the path; without chance, fewer say as much.
  const double losses = is_periodic ? 100 : 300;
  const double seconds = std::min(500.0, losses / law.loss / (window / round_trip));
  const std::string loss =
      is_periodic ? fmt::format("drop_every = {:.0f}", 1 / law.loss) : fmt::format("loss = {}", law.loss);
  Scenario scenario = parsed(fmt::format(
      "duration = {}\n[hosts.client]\nmultipath = {}\ncongestion_control = \"{}\"\nsend_buffer = \"256 "
      "MiB\"\n"
      "[hosts.server]\nreceive_buffer = \"256 MiB\"\n[links.path]\nbetween = [\"client\", \"server\"]\n"
      "delay = \"{}ms\"\n[links.path.forward]\n{}\n[[workload]]\nfrom = \"client\"\nto = \"server\"\n",
      seconds, is_coupled, law.congestion_control, law.round_trip_ms / 2, loss));
  const double goodput =
      is_periodic ? simulate(scenario).connections.at(0).goodput_bits_per_s : mean_goodput(scenario);
  EXPECT_NEAR(goodput / expected, 1, 0.15);
}

TEST(EqualFlows, GetEqualShares) {
  const Results results = simulate(parsed(
      "duration = \"60s\"\n[hosts.client]\nmultipath = false\ncongestion_control = \"reno\"\n[links.path]\n"
      "between = [\"client\", \"server\"]\nrate = \"50 Mbit/s\"\ndelay = \"20ms\"\ndiscipline = \"red\"\n"
      "[[workload]]\nfrom = \"client\"\nto = \"server\"\nconnections = 8\n"));
  double sum = 0, squares = 0;
  for (const ConnectionResult& c : results.connections) {
    sum += c.goodput_bits_per_s;
    squares += c.goodput_bits_per_s * c.goodput_bits_per_s;
  }
  EXPECT_GE(sum * sum / (8 * squares), 0.95);  // Jain's index
}

// Goal 2: no more than a single TCP at a bottleneck that all its subflows share.
TEST(Lia, DoesNoHarmAtASharedBottleneck) {
  const Scenario scenario = parsed(
      "duration = \"100s\"\nrouters = [\"r\"]\n[hosts.coupled]\ncongestion_control = \"lia\"\n[hosts.plain]\n"
      "multipath = false\ncongestion_control = \"reno\"\n[links.a]\nbetween = [\"coupled\", "
      "\"r\"]\n[links.b]\n"
      "between = [\"coupled\", \"r\"]\n[links.c]\nbetween = [\"plain\", \"r\"]\n[links.bottleneck]\n"
      "between = [\"r\", \"server\"]\nrate = \"20 Mbit/s\"\ndelay = \"20ms\"\ndiscipline = \"red\"\n"
      "[[workload]]\nfrom = \"coupled\"\nto = \"server\"\n[[workload]]\nfrom = \"plain\"\nto = \"server\"\n");
  const double share = mean_goodput(scenario, 0) / mean_goodput(scenario, 1);
  EXPECT_LT(share, 1.25);
  EXPECT_GT(share, 0.7);
}

// Goals 1 and 3: as much as the best path alone would give, and off the congested one.
TEST(Lia, DoesAsWellAsTheBestPathAndLeavesTheWorse) {
  const auto paths = [](bool has_second) {
    return parsed(fmt::format(
        "duration = \"100s\"\n[hosts.client]\ncongestion_control = \"lia\"\n[links.good]\nbetween = "
        "[\"client\", "
        "\"server\"]\ndelay = \"20ms\"\nloss = 0.001\n{}[[workload]]\nfrom = \"client\"\nto = \"server\"\n",
        has_second ? "[links.bad]\nbetween = [\"client\", \"server\"]\ndelay = \"20ms\"\nloss = 0.02\n"
                   : ""));
  };
  const double alone = mean_goodput(paths(false)), both = mean_goodput(paths(true));
  EXPECT_GE(both / alone, 0.9);
  const Results results = simulate(paths(true));
  const auto& subflows = results.connections[0].subflows;
  ASSERT_EQ(subflows.size(), 2u);
  EXPECT_GT(subflows[0].sent_bytes, 5 * subflows[1].sent_bytes);
}

}  // namespace
}  // namespace braid::scenario
