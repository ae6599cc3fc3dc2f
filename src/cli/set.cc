// `braid set`: what open connections do from now on, and what new ones begin with.
#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "cli/control_call.h"
#include "cli/subcommands.h"

namespace braid::cli {

namespace {
constexpr const char* kFooter = R"(
CONNECTION: its token, or one of its ends, as `braid ss` shows them; all: those that are open; default: those
that are opened from now on (and listeners), for as long as the daemon runs; its configuration file stays.

Examples:
  braid set all scheduler redundant
  braid set default scheduler redundant
  braid set 4a5b6c7d congestion-control olia
  braid set 203.0.113.9:443 scheduler blest congestion-control cubic)";

int run(const std::vector<std::string>& words) {
  nlohmann::json request = {{"command", "set"}, {"connection", words[0]}};
  for (size_t i = 1; i < words.size(); i += 2) {
    const bool is_scheduler = words[i] == "scheduler";
    if ((!is_scheduler && words[i] != "congestion-control") || i + 1 == words.size()) {
      fmt::print(stderr,
                 "braid set: after the connection come scheduler NAME, congestion-control NAME, or both\n");
      return kExitUsage;
    }
    request[is_scheduler ? "scheduler" : "congestion_control"] = words[i + 1];
  }
  const auto result = call_daemon(request);
  if (!result) return 1;
  if (words[0] != "default") fmt::print("{} changed\n", result->value("changed", 0));
  return 0;
}
}  // namespace

void add_set(CLI::App& app, int& exit_status) {
  CLI::App* command = app.add_subcommand("set", "Change the scheduler or congestion control of connections");
  command->footer(kFooter);
  auto words = std::make_shared<std::vector<std::string>>();
  command->add_option("words", *words, "CONNECTION [scheduler NAME] [congestion-control NAME]")
      ->required()
      ->expected(3, 5);
  command->callback([words, &exit_status] { exit_status = run(*words); });
}

}  // namespace braid::cli
