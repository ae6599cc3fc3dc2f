#include "scenario/sweep/sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "scenario/simulation.h"

namespace braid::scenario {

namespace {

constexpr size_t kMostRuns = 1'000'000;

/// What cannot be told from one combination alone.
std::optional<std::string> find_contradiction(const std::vector<Override>& overrides,
                                              const std::vector<Variation>& variations, uint32_t seeds) {
  double runs = seeds;
  for (size_t i = 0; i < variations.size(); ++i) {
    const Variation& one = variations[i];
    if (std::ranges::count(variations, one.key, &Variation::key) > 1)
      return fmt::format("--vary {}: is there twice; write all of its values in one: {}=A,B,C", one.key,
                         one.key);
    if (std::ranges::count(overrides, one.key, &Override::key) > 0)
      return fmt::format("{} has both --set and --vary; leave one out", one.key);
    if (one.key == "seed" && seeds > 1)
      return "--vary seed=... and --seeds contradict each other; --seeds alone gives means over seeds";
    runs *= static_cast<double>(one.values.size());
  }
  if (runs > static_cast<double>(kMostRuns))
    return fmt::format("that is {:.0f} runs, {} at most; vary fewer keys, or in larger steps", runs,
                       kMostRuns);
  return std::nullopt;
}

/// Where the mistake is not in the file, there is no line to tell.
std::string without_places(std::string text, const std::string& path) {
  const std::string place = path + ":0:0: ";
  for (size_t at = text.find(place); at != std::string::npos; at = text.find(place))
    text.erase(at, place.size());
  return text;
}

tl::expected<Sweep::Combination, std::string> read_combination(const std::string& path,
                                                               const std::vector<Override>& overrides,
                                                               const std::vector<Variation>& variations,
                                                               size_t number) {
  Sweep::Combination made;
  made.values.resize(variations.size());
  std::vector<Override> all = overrides;
  std::string which;
  for (size_t i = variations.size(); i-- > 0;) {
    const std::vector<std::string>& values = variations[i].values;
    made.values[i] = values[number % values.size()];
    number /= values.size();
  }
  for (size_t i = 0; i < variations.size(); ++i) {
    all.push_back({variations[i].key, made.values[i]});
    which += fmt::format("{}{}={}", i == 0 ? "" : " ", variations[i].key, made.values[i]);
  }
  auto scenario = read_scenario(path, all);
  if (!scenario) {
    const std::string wrong = without_places(scenario.error(), path);
    // The file itself may be what is wrong; then the combination has nothing to do with it.
    if (const auto plain = read_scenario(path, overrides); !plain)
      return tl::unexpected(without_places(plain.error(), path));
    return tl::unexpected(fmt::format("with {}:\n{}", which, wrong));
  }
  for (const HostSpec& host : scenario->hosts) {
    if (host.is_linux)
      return tl::unexpected(
          fmt::format("host \"{}\" has the stack of Linux, which runs in real time only", host.name));
  }
  if (!scenario->programs.empty())
    return tl::unexpected(std::string("[[program]] is for real time only; leave it out"));
  if (scenario->workloads.empty())
    return tl::unexpected(
        std::string("nothing happens: add [[workload]] with from = \"client\", to = \"server\""));
  made.scenario = std::move(*scenario);
  return made;
}

class Workers {
 public:
  Workers(const Sweep& sweep, const SweepOptions& options)
      : sweep_(sweep), options_(options), runs_(sweep.run_count()) {}
  std::vector<SweepRun> run();

 private:
  void work();

  const Sweep& sweep_;
  const SweepOptions& options_;
  std::vector<SweepRun> runs_;  // each has its place, so it does not matter who makes it, and when
  std::atomic<size_t> next_ = 0;
  std::mutex reporting_;
  size_t done_ = 0;
};

void Workers::work() {
  for (size_t i = next_++; i < runs_.size(); i = next_++) {
    Scenario scenario = sweep_.combinations[i / sweep_.seeds].scenario;
    scenario.seed += i % sweep_.seeds;
    runs_[i] = SweepRun::of(simulate(scenario));
    const std::lock_guard lock(reporting_);
    ++done_;
    if (options_.on_progress) options_.on_progress(done_, runs_.size());
  }
}

std::vector<SweepRun> Workers::run() {
  std::vector<std::thread> threads;
  const size_t count = std::clamp<size_t>(runs_.size(), 1, std::max(1u, options_.jobs));
  for (size_t i = 1; i < count; ++i) threads.emplace_back([this] { work(); });
  work();
  for (std::thread& thread : threads) thread.join();
  return std::move(runs_);
}

}  // namespace

tl::expected<Sweep, std::string> plan_sweep(const std::string& path, const std::vector<Override>& overrides,
                                            std::vector<Variation> variations, uint32_t seeds) {
  if (const auto wrong = find_contradiction(overrides, variations, seeds)) return tl::unexpected(*wrong);
  size_t count = 1;
  for (const Variation& one : variations) count *= one.values.size();
  Sweep sweep;
  sweep.seeds = seeds;
  for (size_t i = 0; i < count; ++i) {
    auto combination = read_combination(path, overrides, variations, i);
    if (!combination) return tl::unexpected(std::move(combination.error()));
    sweep.combinations.push_back(std::move(*combination));
  }
  sweep.variations = std::move(variations);
  return sweep;
}

SweepResults run_sweep(const Sweep& sweep, const SweepOptions& options) {
  const std::vector<SweepRun> runs = Workers(sweep, options).run();
  SweepResults results;
  results.scenario = sweep.combinations.front().scenario.name;
  results.seeds = sweep.seeds;
  for (const Variation& one : sweep.variations) results.keys.push_back(one.key);
  for (size_t i = 0; i < sweep.combinations.size(); ++i) {
    const auto first = runs.begin() + static_cast<std::ptrdiff_t>(i * sweep.seeds);
    results.rows.push_back({sweep.combinations[i].values, {first, first + sweep.seeds}});
  }
  return results;
}

}  // namespace braid::scenario
