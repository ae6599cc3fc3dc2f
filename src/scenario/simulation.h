// A scenario on the virtual clock.
#pragma once

#include <functional>
#include <string>
#include <tl/expected.hpp>

#include "scenario/results.h"
#include "scenario/scenario.h"

namespace braid::scenario {

struct SimulationOptions {
  bool records_series = false;
  std::string capture_directory;  // of all packets; empty: none
  std::string event_log;          // a file; empty: none
  /// Called now and then with the share that is done.
  std::function<void(double share)> on_progress;
};

/// The same scenario and seed give the same results on every machine. No host may be Linux's. The error, for
/// people: where captures or the log cannot be written.
tl::expected<Results, std::string> run_simulation(const Scenario& scenario,
                                                  const SimulationOptions& options = {});
/// Without those, nothing can go wrong.
Results simulate(const Scenario& scenario);

}  // namespace braid::scenario
