// `braid lab`: a scenario in real time.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "cli/scenario_options.h"
#include "cli/subcommands.h"
#include "lab/agent.h"
#include "lab/laboratory.h"

namespace braid::cli {

namespace {
constexpr const char* kFooter = R"(
The same scenario files as `braid sim` (docs/scenarios.md), in real time: each host is a network namespace,
with Braid in it or the Linux kernel's TCP and MPTCP (stack = "linux"), and the packets between them go through
Braid's links, routers and middleboxes. Besides workloads it runs real programs ([[program]], or a COMMAND).
Needs root; whatever happens, all that it made on the machine goes with it.

With a COMMAND the laboratory stands as long as it runs; in it {HOST} is the address of that host, and it
finds them in its environment as BRAID_LAB_HOST.

Exit status: 0 all is well; 1 a connection or a program failed, or a byte was wrong; 2 the scenario or the
command line is wrong, or the laboratory could not be set up; with a COMMAND: its own; 130 interrupted.

Examples:
  braid lab two-paths.toml                                  the workloads of the file
  braid lab two-paths.toml --set hosts.server.stack=linux   Braid to the kernel
  braid lab two-paths.toml --plot rates.svg
  braid lab two-paths.toml --on phone -- bash               a shell on a host
  braid lab two-paths.toml -- curl -o /dev/null http://{server}/)";

struct Options {
  explicit Options(CLI::App& app) : scenario(app), result(app) {}
  ScenarioOptions scenario;
  ResultOptions result;
  std::string host;
  std::vector<std::string> command;
};

int complain(const std::string& text) {
  fmt::print(stderr, "braid lab: {}\n", text);
  return kExitUsage;
}

tl::expected<std::string, std::string> host_of_command(const Options& options,
                                                       const scenario::Scenario& scenario) {
  if (options.host.empty())
    return scenario.workloads.empty() ? scenario.hosts.front().name : scenario.workloads.front().from;
  if (std::ranges::count(scenario.hosts, options.host, &scenario::HostSpec::name) > 0) return options.host;
  return tl::unexpected(fmt::format("--on {}: the scenario has no such host", options.host));
}

int run(const Options& options) {
  const auto scenario = options.scenario.read();
  if (!scenario) return complain(scenario.error());
  if (scenario->workloads.empty() && scenario->programs.empty() && options.command.empty())
    return complain("nothing happens: add [[workload]] or [[program]] to the file, or a command: -- COMMAND");
  const auto host = host_of_command(options, *scenario);
  if (!host) return complain(host.error());
  lab::LabOptions how;
  std::error_code ignored;
  how.braid = std::filesystem::read_symlink("/proc/self/exe", ignored);
  how.agent = {how.braid, "lab-agent"};
  for (std::string& word : options.scenario.words()) how.agent.push_back(std::move(word));
  how.command = options.command;
  how.command_host = *host;
  how.records_series = options.result.wants_series();
  how.event_log = options.result.event_log();
  how.capture_directory = options.result.capture_directory();
  if (how.command.empty()) how.on_progress = progress_on_terminal();
  const auto outcome = lab::run_laboratory(*scenario, how);
  if (how.on_progress) clear_progress();
  if (!outcome) return complain(outcome.error());
  if (outcome->was_interrupted) return 130;
  if (!how.command.empty() && !options.result.wants_series()) return outcome->command_status.value_or(1);
  if (const auto done = options.result.emit(outcome->results); !done) return complain(done.error());
  if (outcome->command_status) return *outcome->command_status;
  return outcome->results.is_sound() ? 0 : 1;
}

struct AgentOptions {
  explicit AgentOptions(CLI::App& app) : scenario(app) {}
  ScenarioOptions scenario;
  std::string host;
};

int run_agent(const AgentOptions& options) {
  const auto scenario = options.scenario.read();
  if (!scenario) return complain(scenario.error());
  return lab::run_agent(*scenario, options.host);
}
}  // namespace

void add_lab(CLI::App& app, int& exit_status) {
  CLI::App* command =
      app.add_subcommand("lab", "Run a scenario in real time: braid lab SCENARIO [OPTIONS] [-- COMMAND]");
  command->footer(kFooter);
  auto options = std::make_shared<Options>(*command);
  command->add_option("--on", options->host, "Host of the command [the first workload's `from`]")
      ->type_name("HOST");
  command->add_option("command", options->command, "A program to run in it")->type_name("COMMAND");
  command->callback([options, &exit_status] { exit_status = run(*options); });

  // What a laboratory starts on its hosts, and nobody else.
  CLI::App* agent = app.add_subcommand("lab-agent", "")->group("");
  auto agent_options = std::make_shared<AgentOptions>(*agent);
  agent->add_option("host", agent_options->host)->required();
  agent->callback([agent_options, &exit_status] { exit_status = run_agent(*agent_options); });
}

}  // namespace braid::cli
