// `braid events`: what connections decide, and why, of all of them.
#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <string>

#include "cli/control_call.h"
#include "cli/subcommands.h"
#include "cli/why_format.h"
#include "service/control.h"

namespace braid::cli {

namespace {
using nlohmann::json;

constexpr const char* kFooter = R"(
What happened lately, oldest first; with --follow also what happens from now on. Paths that come up, go, fall
silent and come back, addresses that are announced, priorities, why a connection is plain TCP, how it ended.
A reader who is too slow loses events, and is told how many; the daemon never waits.

`braid pm monitor` has those about paths alone, in the words of `ip mptcp monitor`, for programs that manage
paths; `braid why` has those of one connection; [daemon] events writes the same lines to a file.

Examples:
  braid events                                  the last 200
  braid events --follow
  braid events --follow --last 0                only new ones
  braid events --connection 8f3d9c2e
  braid events --json --follow | jq -c 'select(.event == "fell-back") | [.remote, .why]'
Each JSON object has "time_s" (CLOCK_MONOTONIC), "connection" (its token), "event", "text", and what
docs/seeing.md says.)";

struct Options {
  std::string connection;
  int last = 200;
  bool is_following = false, as_json = false;
};

bool is_about(const json& event, const std::string& connection) {
  if (connection.empty() || event.value("event", "") == "lost") return true;
  const std::string local = event.value("local", ""), remote = event.value("remote", "");
  return connection == event.value("connection", "") || connection == local || connection == remote ||
         connection == local + "->" + remote;
}

/// False: nobody reads any more.
bool print(const json& event, bool as_json, double wall_offset_s) {
  fmt::print("{}\n", as_json ? event.dump() : format_decision(event, wall_offset_s));
  return std::fflush(stdout) == 0;
}

int run(const Options& options) {
  auto client = service::ControlClient::connect(service::control_socket_path());
  json request = {
      {"command", "events"}, {"action", options.is_following ? "follow" : "show"}, {"last", options.last}};
  if (!options.connection.empty()) request["connection"] = options.connection;
  const auto answer =
      client ? client->call(request) : tl::expected<json, std::string>(tl::unexpected(client.error()));
  if (!answer) {
    fmt::print(stderr, "braid: {}\n", answer.error());
    return 1;
  }
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  const double offset = std::chrono::duration<double>(wall).count() - answer->value("now_s", 0.0);
  for (const json& event : answer->value("events", json::array()))
    if (!print(event, options.as_json, offset)) return 0;
  while (options.is_following) {
    const auto event = client->next_event();
    if (!event) {
      fmt::print(stderr, "braid: {}\n", event.error());
      return 1;
    }
    if (is_about(*event, options.connection) && !print(*event, options.as_json, offset)) return 0;
  }
  return 0;
}
}  // namespace

void add_events(CLI::App& app, int& exit_status) {
  CLI::App* command = app.add_subcommand("events", "What connections decide and why, as it happens");
  command->footer(kFooter);
  auto options = std::make_shared<Options>();
  command->add_flag("--json", options->as_json, "One JSON object a line, for programs");
  command->add_flag("-f,--follow", options->is_following, "Go on with those that happen");
  command->add_option("-n,--last", options->last, "So many of those that happened [200]")
      ->check(CLI::Range(0, 100'000))
      ->type_name("N");
  command
      ->add_option("--connection", options->connection, "Of that one only: token, LOCAL->REMOTE, or an end")
      ->type_name("CONNECTION");
  command->callback([options, &exit_status] { exit_status = run(*options); });
}

}  // namespace braid::cli
