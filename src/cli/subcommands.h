// The subcommands of `braid`, one file each. Each of these adds one to the command line; when it is chosen,
// it runs and sets `exit_status`.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace braid::cli {

/// `command`: what stood after `braid run`'s own options.
void add_run(CLI::App& app, const std::vector<std::string>& command, int& exit_status);
void add_up(CLI::App& app, int& exit_status);
void add_down(CLI::App& app, int& exit_status);
void add_daemon(CLI::App& app, int& exit_status);
void add_ss(CLI::App& app, int& exit_status);
void add_counters(CLI::App& app, int& exit_status);
void add_endpoint(CLI::App& app, int& exit_status);
void add_limits(CLI::App& app, int& exit_status);
void add_set(CLI::App& app, int& exit_status);
void add_policy(CLI::App& app, int& exit_status);
void add_pm(CLI::App& app, int& exit_status);
void add_config(CLI::App& app, int& exit_status);
void add_doctor(CLI::App& app, int& exit_status);
void add_why(CLI::App& app, int& exit_status);
void add_events(CLI::App& app, int& exit_status);
void add_monitor(CLI::App& app, int& exit_status);
void add_cleanup(CLI::App& app, int& exit_status);
void add_sim(CLI::App& app, int& exit_status);
void add_sweep(CLI::App& app, int& exit_status);
void add_lab(CLI::App& app, int& exit_status);
void add_swarm(CLI::App& app, int& exit_status);
void add_version(CLI::App& app, int& exit_status);

/// What env(1) and its kin return for failures of their own, of starting the program, and of finding it.
inline constexpr int kExitRunFailed = 125;
inline constexpr int kExitNotExecutable = 126;
inline constexpr int kExitNotFound = 127;
inline constexpr int kExitUsage = 2;

}  // namespace braid::cli
