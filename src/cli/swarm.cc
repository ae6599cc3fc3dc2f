// `braid swarm`: random scenarios by seed, checked.
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "cli/subcommands.h"
#include "scenario/simulation.h"
#include "scenario/swarm.h"
#include "scenario/swarm_fairness.h"

namespace braid::cli {

namespace {
constexpr const char* kFooter = R"(
Each seed is a network, faults, middleboxes, settings and transfers of its own; some kinds of faults are switched
off in it, others exaggerated. After a while one path heals. Then every byte must have arrived, in order, with
memory within bounds and no storm of timers, and a second run must go exactly the same. Besides, every twentieth
seed is a bottleneck that a connection with coupled congestion control shares with one TCP: over all of them the
first may take no more than the second.

Exit status: 0 all seeds are well, and coupled congestion control is fair; 1 else.

Examples:
  braid swarm --seeds 2000                       on all cores
  braid swarm --seeds 1 --from 1234 --verbose    one again, with its plan
  braid swarm --seeds 1 --from 1234 --shrink --pcap packets
                                                 the smallest plan that still fails, and its packets)";

struct Options {
  uint64_t seeds = 1000, from = 1;
  double minutes = 0;
  unsigned jobs = std::max(1u, std::thread::hardware_concurrency());
  bool is_verbose = false, shrinks = false;
  std::string captures;
};

class Swarm {
 public:
  explicit Swarm(const Options& options) : options_(options) {}
  int run();

 private:
  void work();
  void report(uint64_t seed, const std::string& wrong);
  void look_closer(scenario::Scenario plan);
  bool is_time_up() const {
    return options_.minutes > 0 &&
           std::chrono::steady_clock::now() - begin_ > std::chrono::duration<double>(options_.minutes * 60);
  }

  const Options& options_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::atomic<uint64_t> next_ = 0, done_ = 0, failed_ = 0;
  std::mutex output_;
  std::vector<double> shares_;  // of coupled congestion control, by bottleneck
};

void Swarm::report(uint64_t seed, const std::string& wrong) {
  const std::lock_guard lock(output_);
  ++failed_;
  fmt::print("seed {}: {}\n  again: braid swarm --seeds 1 --from {} --verbose\n", seed, wrong, seed);
  std::fflush(stdout);
}

void Swarm::look_closer(scenario::Scenario plan) {
  if (options_.shrinks) plan = scenario::shrink(std::move(plan));
  const std::lock_guard lock(output_);
  if (options_.shrinks)
    fmt::print("smallest plan found ({}):\n{}", scenario::violation_of(plan), scenario::describe(plan));
  if (options_.captures.empty()) return;
  scenario::SimulationOptions how;
  how.capture_directory = options_.captures;
  how.event_log = options_.captures + "/events.jsonl";
  const auto done = scenario::run_simulation(plan, how);
  if (!done) fmt::print(stderr, "braid swarm: {}\n", done.error());
}

void Swarm::work() {
  for (uint64_t i = next_++; i < options_.seeds && !is_time_up(); i = next_++) {
    const uint64_t seed = options_.from + i;
    scenario::Scenario plan = scenario::plan_of(seed);
    if (options_.is_verbose) {
      const std::lock_guard lock(output_);
      fmt::print("{}", scenario::describe(plan));
    }
    if (const std::string wrong = scenario::violation_of(plan); !wrong.empty()) {
      report(seed, wrong);
      look_closer(std::move(plan));
    }
    if (seed % scenario::kSeedsPerBottleneck == 0) {
      const double share = scenario::share_of_coupled(scenario::bottleneck_of(seed));
      const std::lock_guard lock(output_);
      shares_.push_back(share);
    }
    ++done_;
    if (isatty(STDERR_FILENO) != 0)
      fmt::print(stderr, "\r{} of {}, {} failed ", done_.load(), options_.seeds, failed_.load());
  }
}

int Swarm::run() {
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < options_.jobs; ++i) threads.emplace_back([this] { work(); });
  for (std::thread& thread : threads) thread.join();
  if (isatty(STDERR_FILENO) != 0) fmt::print(stderr, "\r");
  const scenario::FairnessVerdict verdict = scenario::judge_shares(shares_);
  if (!shares_.empty())
    fmt::print(
        "coupled congestion control took {:.2f} of one TCP's share at {} bottlenecks, nine of ten below "
        "{:.2f}{}\n",
        verdict.mean, shares_.size(), verdict.ninth_decile, verdict.is_fair ? "" : ": more than its share");
  fmt::print("{} seeds from {}: {} failed\n", done_.load(), options_.from, failed_.load());
  return failed_ == 0 && verdict.is_fair ? 0 : 1;
}
}  // namespace

void add_swarm(CLI::App& app, int& exit_status) {
  CLI::App* command = app.add_subcommand("swarm", "Try random scenarios, and check that everything arrives");
  command->footer(kFooter);
  auto options = std::make_shared<Options>();
  command->add_option("--seeds", options->seeds, "How many")->capture_default_str();
  command->add_option("--from", options->from, "The first")->capture_default_str();
  command->add_option("--minutes", options->minutes, "Stop after so long");
  command->add_option("--jobs", options->jobs, "At once; all cores otherwise")->check(CLI::Range(1, 1024));
  command->add_flag("--verbose", options->is_verbose, "Print the plan of each seed");
  command->add_flag("--shrink", options->shrinks, "Look for a smaller plan that fails too");
  command->add_option("--pcap", options->captures, "Write the packets and events of a seed that fails there")
      ->type_name("DIRECTORY");
  command->callback([options, &exit_status] { exit_status = Swarm(*options).run(); });
}

}  // namespace braid::cli
