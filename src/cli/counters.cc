// `braid counters`: what happened, by the names that `nstat` uses.
#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <memory>
#include <string>

#include "cli/control_call.h"
#include "cli/subcommands.h"

namespace braid::cli {

namespace {
constexpr const char* kFooter = R"(
The names are the kernel's own (`nstat -a`) where the event is the same; those that begin with Braid are not
the kernel's.

Examples:
  braid counters                  all of them
  braid counters --zero           only those where something was counted
  braid counters '*Join*'         by pattern, case does not matter
  braid counters --json | jq .MPTcpExtMPTCPRetrans)";

struct Options {
  std::string pattern = "*";
  bool as_json = false, hides_zero = false;
};

int run(const Options& options) {
  const auto all = call_daemon({{"command", "counters"}});
  if (!all) return 1;
  nlohmann::ordered_json chosen = nlohmann::ordered_json::object();
  size_t width = 0;
  for (const auto& [name, value] : all->items()) {
    if (fnmatch(options.pattern.c_str(), name.c_str(), FNM_CASEFOLD) != 0) continue;
    if (options.hides_zero && value == 0) continue;
    chosen[name] = value;
    width = std::max(width, name.size());
  }
  if (options.as_json) {
    fmt::print("{}\n", chosen.dump(2));
    return 0;
  }
  for (const auto& [name, value] : chosen.items()) fmt::print("{:<{}}  {:>12}\n", name, width, value.dump());
  return 0;
}
}  // namespace

void add_counters(CLI::App& app, int& exit_status) {
  CLI::App* command = app.add_subcommand("counters", "What happened so far, counted by the kernel's names");
  command->footer(kFooter);
  auto options = std::make_shared<Options>();
  command->add_option("pattern", options->pattern, "Names to show, with * and ?")->type_name("PATTERN");
  command->add_flag("--json", options->as_json, "For programs");
  command->add_flag("--zero", options->hides_zero, "Hide those that are zero");
  command->callback([options, &exit_status] { exit_status = run(*options); });
}

}  // namespace braid::cli
