#include "cli/scenario_options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "cli/overrides.h"
#include "cli/plot.h"
#include "cli/plugin_option.h"

namespace braid::cli {

ScenarioOptions::ScenarioOptions(CLI::App& command) {
  command.add_option("scenario", path_, "A scenario file")->required()->type_name("FILE");
  command.add_option("--seed", seed_, "Of all chance in it; otherwise the file's, or 1");
  add_plugin_option(command, plugins_);
  command.add_option("--set", changes_, "Another value for a key of the file; may be repeated")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all();
}

tl::expected<scenario::Scenario, std::string> ScenarioOptions::read() const {
  const auto overrides = parse_overrides(changes_);
  if (!overrides) return tl::unexpected(overrides.error());
  auto scenario = scenario::read_scenario(path_, *overrides);
  if (scenario && seed_) scenario->seed = *seed_;
  return scenario;
}

std::vector<std::string> ScenarioOptions::words() const {
  std::vector<std::string> words = {path_};
  for (const std::string& file : plugins_) words.insert(words.end(), {"--plugin", file});
  for (const std::string& change : changes_) words.insert(words.end(), {"--set", change});
  if (seed_) words.insert(words.end(), {"--seed", std::to_string(*seed_)});
  return words;
}

ResultOptions::ResultOptions(CLI::App& command) {
  command.add_option("--csv", csv_, "Write time series there")->type_name("FILE");
  command.add_option("--plot", picture_, "Draw rates, windows and queues over time: .svg or .png")
      ->type_name("FILE");
  command.add_option("--pcap", captures_, "Write every packet at every interface there, for Wireshark")
      ->type_name("DIRECTORY");
  command.add_option("--log", log_, "Write what the stacks decide and why there, a JSON object a line")
      ->type_name("FILE");
  command.add_flag("--json", as_json_, "For programs");
}

tl::expected<void, std::string> ResultOptions::check() const {
  if (picture_.empty()) return {};
  if (auto wrong = refuse_picture(picture_)) return tl::unexpected(std::move(*wrong));
  return {};
}

tl::expected<void, std::string> ResultOptions::emit(const scenario::Results& results) const {
  if (!csv_.empty()) {
    std::ofstream file(csv_);
    file << results.series_csv();
    if (!file.flush()) return tl::unexpected(fmt::format("{} cannot be written", csv_));
  }
  if (!picture_.empty()) {
    const std::string title = fmt::format("{}, seed {}{}", results.scenario, results.seed,
                                          results.is_real_time ? ", in real time" : "");
    if (const auto wrong = draw_series(results.series_csv(), picture_, title)) return tl::unexpected(*wrong);
  }
  if (as_json_) {
    fmt::print("{}\n", results.to_json().dump(2));
  } else {
    fmt::print("{}", results.to_text());
  }
  return {};
}

std::function<void(double share)> progress_on_terminal() {
  if (isatty(STDERR_FILENO) == 0) return {};
  return [](double share) {
    fmt::print(stderr, "\r{:3.0f} %", share * 100);
    std::fflush(stderr);
  };
}

void clear_progress() {
  if (isatty(STDERR_FILENO) != 0) fmt::print(stderr, "\r     \r");
}

}  // namespace braid::cli
