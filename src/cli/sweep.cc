// `braid sweep`: a scenario with many values.
#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <thread>

#include "cli/overrides.h"
#include "cli/plot.h"
#include "cli/plugin_option.h"
#include "cli/progress.h"
#include "cli/subcommands.h"
#include "scenario/sweep/sweep.h"

namespace braid::cli {

namespace {
constexpr const char* kFooter = R"(
A sweep runs one scenario with every combination of the values given, over all cores, and makes one table of it:
goodput, retransmissions, and the delays that applications saw. With --seeds each combination is run so many times,
and the table has means and standard deviations.

Keys are those of the scenario file, as with `braid sim --set`: duration, links.wifi.loss, hosts.server.scheduler,
topology.k, and workload.1.size for the first [[workload]]. Values are separated by commas. A range is FROM..TO or
FROM..TO:STEP, and may have a unit: 1..5, 0..0.1:0.02, 10..50:20ms.

The picture has the first key along the x axis, a line for each value of the second, and the deviation as bars.
The result does not depend on --jobs.

Exit status: 0 all is well; 1 a connection failed in some run, or a byte was wrong; 2 the scenario or the command
line is wrong, and nothing was run, or what came of it could not be written.

Examples:
  braid sweep two-paths.toml --vary links.wifi.loss=0,0.001,0.01
  braid sweep two-paths.toml --vary links.lte.delay=10..90:20ms --vary hosts.server.scheduler=lowest-rtt,round-robin
  braid sweep two-paths.toml --vary links.wifi.loss=0..0.02:0.005 --seeds 10 --plot loss.svg
  braid sweep two-paths.toml --vary hosts.server.send_buffer=100KB,400KB --csv buffers.csv
  braid sweep fat-tree.toml --set duration=1s --vary workload.1.connections=1..8 --json | jq '.rows[].values')";

struct Options {
  std::string scenario, csv, picture;
  std::vector<std::string> changes, variations, plugins;
  uint32_t seeds = 1;
  unsigned jobs = std::max(1u, std::thread::hardware_concurrency());
  bool as_json = false;
};

int complain(const std::string& text) {
  fmt::print(stderr, "braid sweep: {}\n", text);
  return kExitUsage;
}

tl::expected<scenario::Sweep, std::string> plan(const Options& options) {
  std::vector<scenario::Variation> variations;
  for (const std::string& text : options.variations) {
    auto variation = scenario::parse_variation(text);
    if (!variation) return tl::unexpected(std::move(variation.error()));
    variations.push_back(std::move(*variation));
  }
  if (variations.empty() && options.seeds == 1)
    return tl::unexpected(std::string(
        "nothing varies; add --vary KEY=VALUE,VALUE such as --vary duration=1s,2s, or --seeds 10"));
  if (!options.picture.empty()) {
    if (auto wrong = refuse_picture(options.picture)) return tl::unexpected(std::move(*wrong));
    if (variations.empty())
      return tl::unexpected(std::string("--plot needs a key for the x axis: add --vary KEY=VALUE,VALUE"));
  }
  const auto overrides = parse_overrides(options.changes);
  if (!overrides) return tl::unexpected(overrides.error());
  return scenario::plan_sweep(options.scenario, *overrides, std::move(variations), options.seeds);
}

int run(const Options& options) {
  const auto sweep = plan(options);
  if (!sweep) return complain(sweep.error());
  std::ofstream file;
  if (!options.csv.empty()) {  // before the work, not after it
    file.open(options.csv);
    if (!file) return complain(fmt::format("{} cannot be written", options.csv));
  }
  scenario::SweepResults results;
  {
    Progress progress("runs", isatty(STDERR_FILENO) != 0);
    results = scenario::run_sweep(
        *sweep, {.jobs = options.jobs,
                 .on_progress = [&progress](size_t done, size_t of) { progress.show(done, of); }});
  }
  // The table first: it is not lost when a file can't be written.
  if (options.as_json) {
    fmt::print("{}\n", results.to_json().dump(2));
  } else {
    fmt::print("{}", results.to_text());
  }
  std::fflush(stdout);
  if (file.is_open()) {
    file << results.to_csv();
    if (!file.flush()) return complain(fmt::format("{} cannot be written", options.csv));
  }
  if (!options.picture.empty()) {
    const std::string title =
        options.seeds > 1 ? fmt::format("{}, {} seeds", results.scenario, results.seeds) : results.scenario;
    if (const auto wrong = draw_sweep(results.to_csv(), results.keys.size(), options.picture, title))
      return complain(*wrong);
  }
  return results.is_sound() ? 0 : 1;
}
}  // namespace

void add_sweep(CLI::App& app, int& exit_status) {
  CLI::App* command = app.add_subcommand("sweep", "Run a scenario with many values, and compare");
  command->footer(kFooter);
  auto options = std::make_shared<Options>();
  command->add_option("scenario", options->scenario, "A scenario file")->required()->type_name("FILE");
  add_plugin_option(*command, options->plugins);
  command->add_option("--vary", options->variations, "A key and its values; repeated: every combination")
      ->type_name("KEY=A,B,...")
      ->expected(1)
      ->take_all();
  command->add_option("--set", options->changes, "Another value than the file's in all runs; may be repeated")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all();
  command
      ->add_option("--seeds", options->seeds, "Runs of each combination: the file's seed, and those after it")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  command->add_option("--jobs", options->jobs, "Runs at once; all cores otherwise")
      ->check(CLI::Range(1, 1024));
  command->add_flag("--json", options->as_json, "For programs: with every single run");
  command->add_option("--csv", options->csv, "Write the table there")->type_name("FILE");
  command->add_option("--plot", options->picture, "Draw it: .svg or .png")->type_name("FILE");
  command->callback([options, &exit_status] { exit_status = run(*options); });
}

}  // namespace braid::cli
