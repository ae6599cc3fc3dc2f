// One scenario with many values: the product of what varies, each with several seeds, over all cores.
#pragma once

#include <functional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "scenario/scenario.h"
#include "scenario/sweep/sweep_results.h"
#include "scenario/sweep/variation.h"

namespace braid::scenario {

struct Sweep {
  std::vector<Variation> variations;  // the last one changes fastest
  uint32_t seeds = 1;                 // the scenario's own, and those that follow it
  /// One for each combination, in order; `values` goes with `variations`.
  struct Combination {
    std::vector<std::string> values;
    Scenario scenario;
  };
  std::vector<Combination> combinations;

  size_t run_count() const { return combinations.size() * seeds; }
};

/// Reads the scenario at `path` once for each combination, so that what is wrong is known before anything
/// runs. `overrides` hold for all of them. The error is for people.
tl::expected<Sweep, std::string> plan_sweep(const std::string& path, const std::vector<Override>& overrides,
                                            std::vector<Variation> variations, uint32_t seeds);

struct SweepOptions {
  unsigned jobs = 1;  // threads
  /// Called after each run, by one thread at a time.
  std::function<void(size_t done, size_t of)> on_progress;
};

/// The same sweep gives the same results, with any number of jobs.
SweepResults run_sweep(const Sweep& sweep, const SweepOptions& options);

}  // namespace braid::scenario
