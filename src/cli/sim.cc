// `braid sim`: a scenario on the virtual clock.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>

#include "cli/overrides.h"
#include "cli/plot.h"
#include "cli/subcommands.h"
#include "scenario/scenario.h"
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
  braid sim two-paths.toml --csv series.csv             the same as numbers)";

struct Options {
  std::string scenario, csv, picture;
  std::vector<std::string> changes;
  std::optional<uint64_t> seed;
  bool as_json = false;
};

int complain(const std::string& text) {
  fmt::print(stderr, "braid sim: {}\n", text);
  return kExitUsage;
}

int run(const Options& options) {
  const auto overrides = parse_overrides(options.changes);
  if (!overrides) return complain(overrides.error());
  if (!options.picture.empty()) {
    if (const auto wrong = refuse_picture(options.picture)) return complain(*wrong);
  }
  auto scenario = scenario::read_scenario(options.scenario, *overrides);
  if (!scenario) return complain(scenario.error());
  if (options.seed) scenario->seed = *options.seed;
  for (const scenario::HostSpec& host : scenario->hosts) {
    if (host.is_linux)
      return complain(
          fmt::format("host \"{}\" has the stack of Linux, which runs in real time only", host.name));
  }
  scenario::SimulationOptions how;
  how.records_series = !options.csv.empty() || !options.picture.empty();
  const bool shows_progress = isatty(STDERR_FILENO) != 0;
  if (shows_progress) {
    how.on_progress = [](double share) {
      fmt::print(stderr, "\r{:3.0f} %", share * 100);
      std::fflush(stderr);
    };
  }
  const scenario::Results results = scenario::simulate(*scenario, how);
  if (shows_progress) fmt::print(stderr, "\r     \r");
  if (!options.csv.empty()) {
    std::ofstream file(options.csv);
    file << results.series_csv();
    if (!file.flush()) return complain(fmt::format("{} cannot be written", options.csv));
  }
  if (!options.picture.empty()) {
    const std::string title = fmt::format("{}, seed {}", results.scenario, results.seed);
    if (const auto wrong = draw_series(results.series_csv(), options.picture, title)) return complain(*wrong);
  }
  if (options.as_json) {
    fmt::print("{}\n", results.to_json().dump(2));
  } else {
    fmt::print("{}", results.to_text());
  }
  return results.is_sound() ? 0 : 1;
}
}  // namespace

void add_sim(CLI::App& app, int& exit_status) {
  CLI::App* command = app.add_subcommand("sim", "Run a scenario in the simulator");
  command->footer(kFooter);
  auto options = std::make_shared<Options>();
  command->add_option("scenario", options->scenario, "A scenario file")->required()->type_name("FILE");
  command->add_option("--seed", options->seed, "Of all chance in it; otherwise the file's, or 1");
  command->add_option("--set", options->changes, "Another value for a key of the file; may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command->add_option("--csv", options->csv, "Write time series there")->type_name("FILE");
  command->add_option("--plot", options->picture, "Draw rates, windows and queues over time: .svg or .png")
      ->type_name("FILE");
  command->add_flag("--json", options->as_json, "For programs");
  command->callback([options, &exit_status] { exit_status = run(*options); });
}

}  // namespace braid::cli
