// Never slower than the best single path: the default configuration over random pairs of paths, beside
// Braid's own TCP over each of them alone.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "paths/draw.h"
#include "paths/parallel.h"
#include "scenario/simulation.h"

namespace braid::bench {

namespace {

/// The series' intervals in a run, and how many of them count as its beginning, which is not measured.
constexpr int kIntervals = 24, kWarmUp = 6;
/// Longest round trips (queues full) in a run; fewer where the paths would carry more than kMostBytes.
constexpr double kRoundTrips = 240, kLeastRoundTrips = 24;
constexpr double kMostBytes = 400e6;
/// CUBIC counts in seconds, whatever the round trip.
constexpr double kLeastSeconds = 12;

struct Options {
  uint64_t seed = 1;
  size_t pairs = 1000;
  uint32_t repeats = 5;  // of those that look slower
  double target = 0.95;
  unsigned jobs = std::max(1u, std::thread::hardware_concurrency());
  std::vector<uint64_t> only;
  std::vector<std::string> settings;
  std::string json, csv;
  bool prints_scenario = false, is_verbose = false;
};

struct Pair {
  uint64_t number = 0;
  PathDraw paths[2];
  double receive_buffer_bytes = 0;
  double duration_s = 0;
  // Mean goodput over the seeds, bit/s
  uint32_t seeds = 0;
  double both = 0, alone[2] = {0, 0};
  nlohmann::ordered_json subflows;  // of the first seed

  double best_alone() const { return std::max(alone[0], alone[1]); }
  double ratio() const { return best_alone() > 0 ? both / best_alone() : 1; }
};

/// What one TCP could carry at most.
double ceiling(const PathDraw& path, double window_bytes) {
  return std::min(path.bits_per_second, window_bytes * 8 / path.rtt_s);
}

Pair draw_pair(uint64_t seed, uint64_t number) {
  SeededRandom random(seed * 1'000'003 + number);
  Pair pair;
  pair.number = number;
  for (PathDraw& path : pair.paths) path = draw_path(random, {});
  pair.receive_buffer_bytes = over_magnitudes(random, 64 << 10, 8 << 20);
  double longest = 0, rate = 0;
  for (const PathDraw& path : pair.paths) {
    longest = std::max(longest, path.longest_rtt_s());
    rate += ceiling(path, pair.receive_buffer_bytes);
  }
  pair.duration_s = std::max(
      kLeastSeconds, std::clamp(kMostBytes * 8 / rate, kLeastRoundTrips * longest, kRoundTrips * longest));
  return pair;
}

/// `which`: 0 or 1, one path, plain TCP; 2: both.
std::string toml_of(const Pair& pair, int which, uint64_t seed, const Options& options) {
  std::string out = fmt::format("seed = {}\nduration = {:.6f}\ninterval = {:.6f}\n", seed, pair.duration_s,
                                pair.duration_s / kIntervals);
  for (const char* host : {"client", "server"}) {
    out += fmt::format("[hosts.{}]\nreceive_buffer = {:.0f}\n", host, pair.receive_buffer_bytes);
    if (which < 2) out += "multipath = false\n";
    for (const std::string& setting : options.settings) out += setting + "\n";
  }
  for (int i = 0; i < 2; ++i) {
    if (which == 2 || which == i) out += link_toml(fmt::format("path{}", i + 1), pair.paths[i]);
  }
  return out + "[[workload]]\nfrom = \"client\"\nto = \"server\"\n";
}

/// Goodput after the beginning.
double run(const Pair& pair, int which, uint64_t seed, const Options& options,
           nlohmann::ordered_json* subflows) {
  const auto plan = scenario::parse_scenario(toml_of(pair, which, seed, options), "pair");
  if (!plan) {
    fmt::print(stderr, "{}\n", plan.error());
    std::exit(2);
  }
  scenario::SimulationOptions how;
  how.records_series = true;
  const auto results = scenario::run_simulation(*plan, how);
  double sum = 0;
  for (const scenario::Sample& sample : results->series) {
    if (std::string_view(sample.quantity) == "goodput" &&
        sample.time_s > (kWarmUp + 0.5) * pair.duration_s / kIntervals)
      sum += sample.value;
  }
  if (subflows != nullptr) {
    for (const scenario::SubflowResult& s : results->connections[0].subflows)
      subflows->push_back({{"sent_bytes", s.sent_bytes},
                           {"srtt_ms", s.srtt_ms},
                           {"retransmissions", s.retransmissions},
                           {"timeouts", s.timeouts}});
  }
  return sum / (kIntervals - kWarmUp);
}

void measure(Pair& pair, const Options& options) {
  double sums[3] = {0, 0, 0};
  const auto add = [&] {
    const uint64_t seed = pair.number * 100 + pair.seeds;
    for (int which = 0; which < 3; ++which)
      sums[which] +=
          run(pair, which, seed, options, which == 2 && pair.seeds == 0 ? &pair.subflows : nullptr);
    ++pair.seeds;
    pair.alone[0] = sums[0] / pair.seeds;
    pair.alone[1] = sums[1] / pair.seeds;
    pair.both = sums[2] / pair.seeds;
  };
  add();
  // Random loss makes each of the three random. All the seeds count, the first too.
  if (pair.ratio() < options.target + 0.02) {
    while (pair.seeds < options.repeats) add();
  }
}

nlohmann::ordered_json to_json(const Pair& pair) {
  nlohmann::ordered_json out{{"number", pair.number}};
  for (int i = 0; i < 2; ++i) {
    const PathDraw& path = pair.paths[i];
    out[fmt::format("path{}", i + 1)] = {{"bits_per_s", path.bits_per_second},
                                         {"rtt_ms", path.rtt_s * 1e3},
                                         {"queue_bdps", path.queue_bdps},
                                         {"loss", path.loss},
                                         {"alone_bits_per_s", pair.alone[i]}};
  }
  out["receive_buffer_bytes"] = pair.receive_buffer_bytes;
  out["duration_s"] = pair.duration_s;
  out["seeds"] = pair.seeds;
  out["both_bits_per_s"] = pair.both;
  out["ratio"] = pair.ratio();
  out["subflows"] = pair.subflows;
  return out;
}

std::string csv_of(const std::vector<Pair>& pairs) {
  std::string out =
      "number,rate1,rtt1_ms,queue1_bdps,loss1,rate2,rtt2_ms,queue2_bdps,loss2,receive_buffer,duration_s,"
      "seeds,"
      "alone1,alone2,both,ratio\n";
  for (const Pair& p : pairs) {
    out += fmt::format("{}", p.number);
    for (const PathDraw& path : p.paths)
      out += fmt::format(",{:.0f},{:.3f},{:.3f},{:.6f}", path.bits_per_second, path.rtt_s * 1e3,
                         path.queue_bdps, path.loss);
    out += fmt::format(",{:.0f},{:.3f},{},{:.0f},{:.0f},{:.0f},{:.4f}\n", p.receive_buffer_bytes,
                       p.duration_s, p.seeds, p.alone[0], p.alone[1], p.both, p.ratio());
  }
  return out;
}

void print_pair(const Pair& p) {
  fmt::print("{:5}  {:.3f}  both {:9.3f}  alone {:9.3f} {:9.3f} Mbit/s  {:.0f} KB, {:.1f} s, {} seeds\n",
             p.number, p.ratio(), p.both / 1e6, p.alone[0] / 1e6, p.alone[1] / 1e6,
             p.receive_buffer_bytes / 1024, p.duration_s, p.seeds);
  for (const PathDraw& path : p.paths) fmt::print("         {}\n", describe(path));
}

int report(std::vector<Pair> pairs, const Options& options) {
  if (!options.csv.empty()) std::ofstream(options.csv) << csv_of(pairs);
  std::ranges::stable_sort(pairs, {}, &Pair::ratio);
  const auto below = static_cast<size_t>(
      std::ranges::count_if(pairs, [&](const Pair& p) { return p.ratio() < options.target; }));
  const size_t shown = options.is_verbose ? pairs.size() : below;
  if (shown > 0) fmt::print("pair   ratio\n");
  for (size_t i = 0; i < shown; ++i) print_pair(pairs[i]);
  const auto quantile = [&](double q) {
    return pairs[static_cast<size_t>(q * static_cast<double>(pairs.size() - 1))].ratio();
  };
  fmt::print(
      "{} pairs, both paths to the better one alone: least {:.3f}, 1 % {:.3f}, 5 % {:.3f}, median {:.3f}, 75 "
      "% {:.3f}, 95 % {:.3f}\n",
      pairs.size(), quantile(0), quantile(0.01), quantile(0.05), quantile(0.5), quantile(0.75),
      quantile(0.95));
  const double share = 1 - static_cast<double>(below) / static_cast<double>(pairs.size());
  fmt::print("{} below {}: {:.1f} % reach it (target: 99 %)\n", below, options.target, share * 100);
  if (!options.json.empty()) {
    nlohmann::ordered_json out{{"seed", options.seed}, {"target", options.target}, {"share", share}};
    for (const Pair& pair : pairs) out["pairs"].push_back(to_json(pair));
    std::ofstream(options.json) << out.dump(1) << '\n';
  }
  return share >= 0.99 ? 0 : 1;
}

int measure_all(const Options& options) {
  std::vector<Pair> pairs;
  if (options.only.empty()) {
    for (uint64_t i = 0; i < options.pairs; ++i) pairs.push_back(draw_pair(options.seed, i));
  } else {
    for (const uint64_t number : options.only) pairs.push_back(draw_pair(options.seed, number));
  }
  if (options.prints_scenario) {
    for (const Pair& pair : pairs) fmt::print("{}", toml_of(pair, 2, pair.number * 100, options));
    return 0;
  }
  for_all(pairs.size(), options.jobs, [&](size_t i) { measure(pairs[i], options); });
  return report(std::move(pairs), options);
}

}  // namespace

}  // namespace braid::bench

int main(int argc, char** argv) {
  CLI::App app("Random pairs of paths: the default configuration over both, and TCP over each alone");
  braid::bench::Options options;
  app.add_option("--seed", options.seed, "Of the pairs")->capture_default_str();
  app.add_option("--pairs", options.pairs, "How many")->capture_default_str();
  app.add_option("--only", options.only, "These numbers instead");
  app.add_option("--repeats", options.repeats, "Seeds for a pair that looks slower")->capture_default_str();
  app.add_option("--target", options.target, "Least ratio")->capture_default_str();
  app.add_option("--jobs", options.jobs, "At once; all cores otherwise");
  app.add_option("--set", options.settings, "A line for both hosts, as in a scenario: 'penalise = false'");
  app.add_option("--json", options.json, "Write everything there")->type_name("FILE");
  app.add_option("--csv", options.csv, "Write a table there")->type_name("FILE");
  app.add_flag("--scenario", options.prints_scenario, "Print the scenario of --only, for `braid sim`");
  app.add_flag("--verbose", options.is_verbose, "Print all pairs, not only those below the target");
  CLI11_PARSE(app, argc, argv);
  return braid::bench::measure_all(options);
}
