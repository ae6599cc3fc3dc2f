// `braid sim`: a scenario on the virtual clock.
#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "cli/scenario_options.h"
#include "cli/subcommands.h"
#include "scenario/simulation.h"

namespace braid::cli {

namespace {
constexpr const char* kFooter = R"(
A scenario is a TOML file: links, what happens to them, and who sends what (docs/scenarios.md). The same
scenario and seed give the same output, byte for byte, on any machine.

Exit status: 0 all is well; 1 a connection failed, or a byte was wrong; 2 the scenario or the command line is.

Examples:
  braid sim two-paths.toml                              a table
  braid sim two-paths.toml --set links.wifi.loss=0.02   with something else than in the file
  braid sim two-paths.toml --seed 7 --json | jq .connections
  braid sim two-paths.toml --plot two-paths.svg         a picture of rates, windows and queues over time
  braid sim two-paths.toml --csv series.csv             the same as numbers
  braid sim two-paths.toml --pcap packets               what each interface saw: packets/phone-wifi.pcapng
  braid sim two-paths.toml --log events.jsonl           why a path stalled, who opened which subflow)";

struct Options {
  explicit Options(CLI::App& command) : scenario(command), result(command) {}
  ScenarioOptions scenario;
  ResultOptions result;
};

int complain(const std::string& text) {
  fmt::print(stderr, "braid sim: {}\n", text);
  return kExitUsage;
}

int run(const Options& options) {
  const auto scenario = options.scenario.read();
  if (!scenario) return complain(scenario.error());
  for (const scenario::HostSpec& host : scenario->hosts) {
    if (host.is_linux)
      return complain(fmt::format(
          "host \"{}\" has the stack of Linux, which runs in real time only: try `braid lab`", host.name));
  }
  if (!scenario->programs.empty())
    return complain("[[program]] is for real time only: try `braid lab`, or leave it out");
  if (scenario->workloads.empty())
    return complain("nothing happens: add [[workload]] with from = \"client\", to = \"server\"");
  scenario::SimulationOptions how;
  how.records_series = options.result.wants_series();
  how.on_progress = progress_on_terminal();
  how.capture_directory = options.result.capture_directory();
  how.event_log = options.result.event_log();
  const auto results = scenario::run_simulation(*scenario, how);
  clear_progress();
  if (!results) return complain(results.error());
  if (const auto done = options.result.emit(*results); !done) return complain(done.error());
  return results->is_sound() ? 0 : 1;
}
}  // namespace

void add_sim(CLI::App& app, int& exit_status) {
  CLI::App* command = app.add_subcommand("sim", "Run a scenario in the simulator");
  command->footer(kFooter);
  auto options = std::make_shared<Options>(*command);
  command->callback([options, &exit_status] { exit_status = run(*options); });
}

}  // namespace braid::cli
