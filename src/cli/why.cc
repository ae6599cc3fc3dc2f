// `braid why`: the history of decisions of one connection, in sentences.
#include <fmt/format.h>

#include <memory>
#include <string>

#include "cli/control_call.h"
#include "cli/subcommands.h"
#include "cli/terminal.h"
#include "cli/why_format.h"

namespace braid::cli {

namespace {
constexpr const char* kFooter = R"(
CONNECTION is its token, or LOCAL->REMOTE, or one of its ends, as `braid ss` and `braid why` show them; or
last: the one that was opened last. If several have that name, the youngest is told. Closed connections are
kept for a while: [history] of the configuration says for how long, and how many.

It tells which paths were tried, and why others were not; why a connection is plain TCP, and the segment that
led to it; when a path was doubted, given up, and came back; changes of priority and scheduler; how it ended;
and, of one that is open, how it stands.

Examples:
  braid why                                     which connections are known of
  braid why last
  braid why 8f3d9c2e
  braid why '192.0.2.1:61000->203.0.113.9:443'
  braid why 203.0.113.9:443                     the youngest to that server
  braid why --failed                            the last one that failed
  braid why --list --failed                     all that failed
  braid why last --json | jq -r '.history[] | [.after_s, .event, .why] | @tsv'
The exit status is 1 if there is no such connection. docs/seeing.md explains the sentences.)";

struct Options {
  std::string connection;
  bool is_failed = false, is_list = false, as_json = false;
};

int run(const Options& options) {
  nlohmann::json request = {{"command", "why"}};
  if (options.is_failed) request["failed"] = true;
  const bool is_list = options.is_list || (options.connection.empty() && !options.is_failed);
  if (!is_list) request["connection"] = options.connection.empty() ? "last" : options.connection;
  const auto answer = call_daemon(request);
  if (!answer) return 1;
  if (options.as_json) {
    fmt::print("{}\n", answer->dump(2));
    return 0;
  }
  const auto size = terminal_size();
  fmt::print("{}", is_list ? format_known(*answer) : format_why(*answer, size ? size->columns : 0));
  return 0;
}
}  // namespace

void add_why(CLI::App& app, int& exit_status) {
  CLI::App* command = app.add_subcommand("why", "What one connection decided, and why, in plain sentences");
  command->footer(kFooter);
  auto options = std::make_shared<Options>();
  command->add_option("connection", options->connection, "Which one; none: a list")->type_name("CONNECTION");
  command->add_flag("--failed", options->is_failed, "Of those that failed only");
  command->add_flag("--list", options->is_list, "Those that are known of");
  command->add_flag("--json", options->as_json, "For programs");
  command->callback([options, &exit_status] { exit_status = run(*options); });
}

}  // namespace braid::cli
