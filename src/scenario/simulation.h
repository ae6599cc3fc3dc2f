// A scenario on the virtual clock.
#pragma once

#include <functional>

#include "scenario/results.h"
#include "scenario/scenario.h"

namespace braid::scenario {

struct SimulationOptions {
  bool records_series = false;
  /// Called now and then with the share that is done.
  std::function<void(double share)> on_progress;
};

/// The same scenario and seed give the same results on every machine. No host may be Linux's.
Results simulate(const Scenario& scenario, const SimulationOptions& options = {});

}  // namespace braid::scenario
