// `braid`: Multipath TCP for programs that nobody modified.
#include <cstdio>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/command_line.h"
#include "cli/plugin_option.h"
#include "cli/subcommands.h"

namespace {
constexpr const char* kExamples = R"(
Examples:
  braid run curl -O https://example.org/big.iso    any program, over all uplinks at once
  braid run --scheduler redundant -- ssh server    with options of Braid's own
  braid up                                         one Braid for the machine's programs; `braid down`
  braid ss                                         connections, and what each of their paths does
  braid endpoint change id 2 backup                keep a path in reserve
  braid monitor                                    the same, and rates, live
  braid why last                                   what a connection decided, and why, in sentences
  braid pm monitor                                 what happens to paths, as it happens
  braid sim scenario.toml                          a network on a virtual clock
  braid sweep scenario.toml --vary seed=1..9       the same with many values, as one table
  braid lab scenario.toml                          the same in real time, with Braid or Linux on its hosts
`braid COMMAND --help` says more of each.)";
}

int main(int argc, char** argv) {
  CLI::App app("Multipath TCP in user space: programs that nobody modified use all uplinks at once.",
               "braid");
  app.require_subcommand(1);
  app.footer(kExamples);
  app.get_formatter()->column_width(36);
  int exit_status = 0;
  std::vector<std::string> command;
  braid::cli::add_run(app, command, exit_status);
  braid::cli::add_up(app, exit_status);
  braid::cli::add_down(app, exit_status);
  braid::cli::add_daemon(app, exit_status);
  braid::cli::add_ss(app, exit_status);
  braid::cli::add_counters(app, exit_status);
  braid::cli::add_endpoint(app, exit_status);
  braid::cli::add_limits(app, exit_status);
  braid::cli::add_set(app, exit_status);
  braid::cli::add_pm(app, exit_status);
  braid::cli::add_policy(app, exit_status);
  braid::cli::add_config(app, exit_status);
  braid::cli::add_monitor(app, exit_status);
  braid::cli::add_events(app, exit_status);
  braid::cli::add_why(app, exit_status);
  braid::cli::add_doctor(app, exit_status);
  braid::cli::add_cleanup(app, exit_status);
  braid::cli::add_sim(app, exit_status);
  braid::cli::add_sweep(app, exit_status);
  braid::cli::add_lab(app, exit_status);
  braid::cli::add_swarm(app, exit_status);
  braid::cli::add_version(app, exit_status);

  const std::vector<std::string> arguments(argv + 1, argv + argc);
  auto split = braid::cli::split_command_line(arguments, *app.get_subcommand("run"));
  command = std::move(split.command);
  const bool is_run = !split.own.empty() && split.own[0] == "run";
  if (arguments.empty()) {
    std::fputs(app.help().c_str(), stderr);
    return braid::cli::kExitUsage;
  }
  // First of all: options and files name what is in them.
  if (const auto done = braid::cli::load_plugins(split.own); !done) {
    fmt::print(stderr, "braid: {}\n", done.error());
    return is_run ? braid::cli::kExitRunFailed : braid::cli::kExitUsage;
  }
  try {
    app.parse(std::vector<std::string>(split.own.rbegin(), split.own.rend()));  // CLI11 takes them last first
  } catch (const CLI::ParseError& error) {
    const bool is_help = app.exit(error) == 0;
    if (is_help) return 0;
    return is_run ? braid::cli::kExitRunFailed : braid::cli::kExitUsage;
  }
  return exit_status;
}
