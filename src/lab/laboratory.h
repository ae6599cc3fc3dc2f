// A scenario in real time: hosts are network namespaces with Braid or the Linux kernel in them, links are
// ours.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "scenario/results.h"
#include "scenario/scenario.h"

namespace braid::lab {

struct LabOptions {
  std::string braid;                 // the braid program: Braid's hosts run it
  std::vector<std::string> agent;    // the command that plays a host's workloads, but for the host's name
  std::vector<std::string> command;  // with our terminal, on `command_host`: the laboratory ends when it does
  std::string command_host;
  bool records_series = false;
  std::string capture_directory;  // of all packets on the links; empty: none
  std::string event_log;          // a file for what Braid's hosts decide; empty: none
  /// Called now and then with the share of the time that has passed.
  std::function<void(double share)> on_progress;
};

struct LabOutcome {
  scenario::Results results;
  std::optional<int> command_status;
  bool was_interrupted = false;
};

/// Needs root. Everything that it makes on the machine is removed again, however it ends. The error is for
/// people. Call it before the process has threads.
tl::expected<LabOutcome, std::string> run_laboratory(const scenario::Scenario& scenario,
                                                     const LabOptions& options);

}  // namespace braid::lab
