// Failover and failback: the path that carries most dies without a word while data flow. How long the
// application waits, and how long the path, when it is back, is left unused.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "paths/draw.h"
#include "paths/parallel.h"
#include "scenario/traffic.h"
#include "scenario/world.h"

namespace braid::bench {

namespace {

/// What people have: from a bad DSL line to a good LAN-like one, with queues of a usual size.
constexpr PathRange kRange = {
    .rate = {1e6, 100e6}, .rtt_s = {0.01, 0.2}, .queue_bdps = {0.5, 2}, .loss_max = 0.01};
constexpr Duration kBefore = 6s, kLooksBack = 1s, kDead = 12s, kAfter = 15s;
constexpr double kBlockInterval = 0.02;
/// Of the lesser path's rate: the application must be able to go on over either.
constexpr double kBlockShare = 0.3;
constexpr double kLeastAim = 0.3;  // s
constexpr double kAimRoundTrips = 3;

struct Options {
  uint64_t seed = 1;
  size_t cases = 500;
  unsigned jobs = std::max(1u, std::thread::hardware_concurrency());
  std::vector<uint64_t> only;
  std::vector<std::string> settings;
  std::string json, csv;
  bool prints_scenario = false, is_verbose = false;
};

struct Case {
  uint64_t number = 0;
  PathDraw paths[2];
  bool is_bulk = false;
  double death_s = 0;
  int dead = 0;               // which path
  double srtt_s[2] = {0, 0};  // at the time of death
  double gap_s = 0;
  double return_s = -1;  // until the path carries data again; < 0: not in kAfter
  bool is_intact = true;

  double aim_s() const { return std::max(kAimRoundTrips * paths[1 - dead].rtt_s, kLeastAim); }
  double ratio() const { return gap_s / aim_s(); }
};

Case draw_case(uint64_t seed, uint64_t number) {
  SeededRandom random(seed * 1'000'003 + number);
  Case drawn;
  drawn.number = number;
  for (PathDraw& path : drawn.paths) path = draw_path(random, kRange);
  drawn.is_bulk = number % 2 == 0;
  drawn.death_s = std::chrono::duration<double>(kBefore).count() + random.unit();
  return drawn;
}

std::string toml_of(const Case& drawn, const Options& options) {
  std::string out = fmt::format("seed = {}\nduration = 40\n", drawn.number + 1);
  for (const char* host : {"client", "server"}) {
    out += fmt::format("[hosts.{}]\n", host);
    for (const std::string& setting : options.settings) out += setting + "\n";
  }
  for (int i = 0; i < 2; ++i) out += link_toml(fmt::format("path{}", i + 1), drawn.paths[i]);
  out += "[[workload]]\nfrom = \"client\"\nto = \"server\"\n";
  if (!drawn.is_bulk) {
    const double rate = std::min(drawn.paths[0].bits_per_second, drawn.paths[1].bits_per_second);
    out += fmt::format("kind = \"blocks\"\nsize = {:.0f}\ninterval = {}\n",
                       std::max(kBlockShare * rate / 8 * kBlockInterval, 100.0), kBlockInterval);
  }
  return out;
}

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

class Run {
 public:
  Run(Case& drawn, const scenario::Scenario& plan)
      : case_(drawn),
        world_(plan, plan.seed),
        traffic_(plan.workloads[0],
                 {&world_.host("client"), &world_.host("server"), {world_.address_of("server"), 5001}},
                 world_.network().seed_for("traffic")) {}

  void go() {
    sim::Network& network = world_.network();
    traffic_.listen();
    network.events().schedule(traffic_, Time{});
    const Duration death(static_cast<int64_t>(case_.death_s * 1e9));
    network.advance(Time(death - kLooksBack));
    const auto before = sent();
    watch(Time(death));
    const auto after = sent();
    case_.dead = after[0] - before[0] >= after[1] - before[1] ? 0 : 1;
    for (const mptcp::SubflowInfo& s : traffic_.info(false).subflows)
      case_.srtt_s[path_of(s)] = seconds(s.srtt);
    sim::Link& link = world_.link(fmt::format("path{}", case_.dead + 1));
    link.set_up(false, sim::Link::Notice::kSilent, network.now());
    longest_ = Duration(0);
    watch(network.now() + kDead);
    case_.gap_s = seconds(std::max(longest_, network.now() - last_));
    link.set_up(true, sim::Link::Notice::kSilent, network.now());
    wait_for_return();
    case_.is_intact = traffic_.is_intact() && !traffic_.has_failed();
  }

 private:
  /// The client's address on the first link is the lesser.
  int path_of(const mptcp::SubflowInfo& s) {
    return s.tuple.local.address == world_.attachments().front().address ? 0 : 1;
  }
  std::array<uint64_t, 2> sent() {
    std::array<uint64_t, 2> bytes{};
    for (const mptcp::SubflowInfo& s : traffic_.info(false).subflows)
      bytes[static_cast<size_t>(path_of(s))] += s.data_sent_bytes;
    return bytes;
  }
  /// Notes each arrival at the application.
  void watch(Time until) {
    sim::Network& network = world_.network();
    while (network.now() < until) {
      const uint64_t before = traffic_.delivered_bytes();
      if (!network.run_until([&] { return traffic_.delivered_bytes() != before; }, until - network.now()))
        return network.advance(until);
      if (network.now() > until) return;
      longest_ = std::max(longest_, network.now() - last_);
      last_ = network.now();
    }
  }
  void wait_for_return() {
    sim::Network& network = world_.network();
    const Time since = network.now();
    const auto received = [&] {
      uint64_t bytes = 0;
      for (const mptcp::SubflowInfo& s : traffic_.info(true).subflows) {
        const bool is_first = s.tuple.remote.address == world_.attachments().front().address;
        if (is_first == (case_.dead == 0)) bytes += s.data_received_bytes;
      }
      return bytes;
    };
    const uint64_t before = received();
    while (network.now() < since + kAfter) {
      network.advance(network.now() + 1ms);
      if (received() == before) continue;
      case_.return_s = seconds(network.now() - since);
      return;
    }
  }

  Case& case_;
  scenario::World world_;
  scenario::Traffic traffic_;
  Time last_{};
  Duration longest_{0};
};

void measure(Case& drawn, const Options& options) {
  const auto plan = scenario::parse_scenario(toml_of(drawn, options), "case");
  if (!plan) {
    fmt::print(stderr, "{}\n", plan.error());
    std::exit(2);
  }
  Run(drawn, *plan).go();
}

void print_case(const Case& c) {
  fmt::print("{:5} {} gap {:6.0f} ms, aim {:4.0f} ms, ratio {:5.2f}, back after {:6.0f} ms{}\n", c.number,
             c.is_bulk ? "bulk  " : "blocks", c.gap_s * 1e3, c.aim_s() * 1e3, c.ratio(), c.return_s * 1e3,
             c.is_intact ? "" : "  FAILED");
  for (int i = 0; i < 2; ++i)
    fmt::print("        {} {}, smoothed {:.0f} ms\n", i == c.dead ? "dies " : "stays", describe(c.paths[i]),
               c.srtt_s[i] * 1e3);
}

nlohmann::ordered_json to_json(const Case& c) {
  nlohmann::ordered_json out{{"number", c.number}, {"kind", c.is_bulk ? "bulk" : "blocks"}};
  for (int i = 0; i < 2; ++i)
    out[i == c.dead ? "dead" : "alive"] = {{"bits_per_s", c.paths[i].bits_per_second},
                                           {"rtt_ms", c.paths[i].rtt_s * 1e3},
                                           {"queue_bdps", c.paths[i].queue_bdps},
                                           {"loss", c.paths[i].loss},
                                           {"srtt_ms", c.srtt_s[i] * 1e3}};
  out["gap_ms"] = c.gap_s * 1e3;
  out["aim_ms"] = c.aim_s() * 1e3;
  out["ratio"] = c.ratio();
  out["return_ms"] = c.return_s * 1e3;
  return out;
}

template <class Measure>
double quantile(const std::vector<Case>& cases, double q, Measure&& measure_of) {
  std::vector<double> values;
  for (const Case& c : cases) values.push_back(measure_of(c));
  std::ranges::sort(values);
  return values[static_cast<size_t>(q * static_cast<double>(values.size() - 1) + 0.5)];
}

void write_csv(const std::vector<Case>& cases, const std::string& file) {
  std::ofstream out(file);
  out << "number,kind,gap_ms,aim_ms,ratio,return_ms,dead_rate,dead_rtt_ms,dead_srtt_ms,alive_rate,alive_rtt_"
         "ms,alive_"
         "srtt_ms\n";
  for (const Case& c : cases)
    out << fmt::format("{},{},{:.1f},{:.1f},{:.3f},{:.1f},{:.0f},{:.1f},{:.1f},{:.0f},{:.1f},{:.1f}\n",
                       c.number, c.is_bulk ? "bulk" : "blocks", c.gap_s * 1e3, c.aim_s() * 1e3, c.ratio(),
                       c.return_s * 1e3, c.paths[c.dead].bits_per_second, c.paths[c.dead].rtt_s * 1e3,
                       c.srtt_s[c.dead] * 1e3, c.paths[1 - c.dead].bits_per_second,
                       c.paths[1 - c.dead].rtt_s * 1e3, c.srtt_s[1 - c.dead] * 1e3);
}

int report(std::vector<Case> cases, const Options& options) {
  if (!options.csv.empty()) write_csv(cases, options.csv);
  std::ranges::stable_sort(cases, std::ranges::greater{}, &Case::ratio);
  for (const Case& c : cases) {
    if (options.is_verbose || c.ratio() > 1 || c.return_s < 0 || !c.is_intact) print_case(c);
  }
  const auto print = [&](const char* what, const std::vector<Case>& of) {
    if (of.empty()) return;
    const auto ratio = [](const Case& c) { return c.ratio(); };
    const auto gap = [](const Case& c) { return c.gap_s * 1e3; };
    const auto back = [](const Case& c) { return c.return_s < 0 ? 1e9 : c.return_s * 1e3; };
    fmt::print(
        "{} {}: longest gap median {:.0f} ms, 99 % {:.0f} ms; to max(3 RTT, 300 ms): median {:.2f}, 95 % "
        "{:.2f}, "
        "99 % {:.2f}; back after median {:.0f} ms, 99 % {:.0f} ms\n",
        of.size(), what, quantile(of, 0.5, gap), quantile(of, 0.99, gap), quantile(of, 0.5, ratio),
        quantile(of, 0.95, ratio), quantile(of, 0.99, ratio), quantile(of, 0.5, back),
        quantile(of, 0.99, back));
  };
  std::vector<Case> bulk, blocks;
  for (const Case& c : cases) (c.is_bulk ? bulk : blocks).push_back(c);
  print("bulk", bulk);
  print("blocks", blocks);
  print("in all", cases);
  const auto above = std::ranges::count_if(cases, [](const Case& c) { return c.ratio() > 1; });
  const double share = 1 - static_cast<double>(above) / static_cast<double>(cases.size());
  fmt::print("{:.1f} % within it (target: 99 %)\n", share * 100);
  if (!options.json.empty()) {
    nlohmann::ordered_json out{{"seed", options.seed}, {"share", share}};
    for (const Case& c : cases) out["cases"].push_back(to_json(c));
    std::ofstream(options.json) << out.dump(1) << '\n';
  }
  return share >= 0.99 ? 0 : 1;
}

int measure_all(const Options& options) {
  std::vector<Case> cases;
  if (options.only.empty()) {
    for (uint64_t i = 0; i < options.cases; ++i) cases.push_back(draw_case(options.seed, i));
  } else {
    for (const uint64_t number : options.only) cases.push_back(draw_case(options.seed, number));
  }
  if (options.prints_scenario) {
    for (const Case& c : cases) fmt::print("{}", toml_of(c, options));
    return 0;
  }
  for_all(cases.size(), options.jobs, [&](size_t i) { measure(cases[i], options); });
  return report(std::move(cases), options);
}

}  // namespace

}  // namespace braid::bench

int main(int argc, char** argv) {
  CLI::App app("The path that carries most dies silently: how long the application waits");
  braid::bench::Options options;
  app.add_option("--seed", options.seed, "Of the cases")->capture_default_str();
  app.add_option("--cases", options.cases,
                 "How many; every other one is bulk, the rest are blocks by the clock")
      ->capture_default_str();
  app.add_option("--only", options.only, "These numbers instead");
  app.add_option("--jobs", options.jobs, "At once; all cores otherwise");
  app.add_option("--set", options.settings, "A line for both hosts, as in a scenario: 'penalise = false'");
  app.add_option("--json", options.json, "Write everything there")->type_name("FILE");
  app.add_option("--csv", options.csv, "Write a table there")->type_name("FILE");
  app.add_flag("--scenario", options.prints_scenario, "Print the scenario of --only, without the events");
  app.add_flag("--verbose", options.is_verbose, "Print all cases, not only those beyond the target");
  CLI11_PARSE(app, argc, argv);
  return braid::bench::measure_all(options);
}
