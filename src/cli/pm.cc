// `braid pm`: path management by hand or by a program, in the words of `ip mptcp`.
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "cli/control_call.h"
#include "cli/pm_words.h"
#include "cli/subcommands.h"
#include "service/control.h"

namespace braid::cli {

namespace {

using nlohmann::json;

constexpr const char* kFooter = R"(
A connection is named by its token, which `braid ss` and `braid pm monitor` show; a path of it by its subflow
number. Commands work beside every path manager. With `path_manager = "application"` nothing else happens.

Examples:
  braid pm monitor                                           what happens to paths, as it happens
  braid pm monitor --json | ./my_program                     the same for a program
  braid pm open token 8f3d9c2e from 198.51.100.1             a path from that address to the peer's first
  braid pm open token 8f3d9c2e from 198.51.100.1 to 203.0.113.2 id 3 backup
  braid pm set token 8f3d9c2e subflow 1 nobackup
  braid pm close token 8f3d9c2e subflow 0                    and leave it closed
  braid pm announce 198.51.100.1 token 8f3d9c2e port 443     the peer may open a path to it
  braid pm remove token 8f3d9c2e id 2                        and no longer
  braid pm endpoint add 198.51.100.1 subflow                 for all connections: `braid endpoint`
Programs may speak to the daemon's socket themselves: docs/path-managers.md)";

struct Command {
  const char* name;
  const char* alias;
  const char* description;
  const char* syntax;
};
constexpr Command kCommands[] = {
    {"announce", nullptr, "Announce an address to the peer (ADD_ADDR)", "ADDRESS token T [port N] [id N]"},
    {"remove", nullptr, "Withdraw an address (REMOVE_ADDR); its paths are closed", "token T id N"},
    {"open", "create", "Open a path (MP_JOIN)",
     "token T [from ADDRESS] [to ADDRESS] [port N] [id N] [label DSCP] [backup]"},
    {"close", "destroy", "Close a path; the path manager does not open it again", "token T subflow N"},
    {"set", nullptr, "Make a path backup or regular (MP_PRIO)", "token T subflow N backup|nobackup"},
};

/// After "which connection?": those there are.
void list_connections() {
  const auto all = call_daemon({{"command", "ss"}});
  if (!all) return;
  for (const json& c : all->value("connections", json::array())) {
    if (c.value("multipath", "") != "established") continue;
    fmt::print(stderr, "  token {:08x}  {} > {}\n", c.value("local_token", 0u), c.value("local", ""),
               c.value("remote", ""));
  }
}

int run(const std::string& action, const std::vector<std::string>& words) {
  const auto request = parse_pm_words(action, words);
  if (!request) {
    fmt::print(stderr, "braid pm {}: {}\n", action, request.error());
    if (request.error().starts_with("token is needed")) list_connections();
    return kExitUsage;
  }
  const auto result = call_daemon(*request);
  if (!result) return 1;
  if (result->contains("id")) fmt::print("id {}\n", result->value("id", 0));
  if (result->contains("subflow")) fmt::print("subflow {}\n", result->value("subflow", 0));
  return 0;
}

/// Until the daemon ends, or whoever reads our output does.
int monitor(bool as_json) {
  auto client = service::ControlClient::connect(service::control_socket_path());
  const auto subscribed = client ? client->call({{"command", "pm"}, {"action", "subscribe"}})
                                 : tl::expected<json, std::string>(tl::unexpected(client.error()));
  if (!subscribed) {
    fmt::print(stderr, "braid: {}\n", subscribed.error());
    return 1;
  }
  for (;;) {
    const auto event = client->next_event();
    if (!event) {
      fmt::print(stderr, "braid: {}\n", event.error());
      return 1;
    }
    fmt::print("{}\n", as_json ? event->dump() : format_event(*event));
    if (std::fflush(stdout) != 0) return 0;
  }
}

}  // namespace

void add_pm(CLI::App& app, int& exit_status) {
  CLI::App* pm = app.add_subcommand("pm", "Paths of single connections, by hand or by a program");
  pm->footer(kFooter);
  pm->require_subcommand(1);
  CLI::App* monitoring = pm->add_subcommand("monitor", "Show events as they happen");
  auto as_json = std::make_shared<bool>(false);
  monitoring->add_flag("--json", *as_json, "One JSON object a line, for programs");
  monitoring->callback([as_json, &exit_status] { exit_status = monitor(*as_json); });
  for (const Command& command : kCommands) {
    CLI::App* added = pm->add_subcommand(command.name, command.description);
    if (command.alias != nullptr) added->alias(command.alias);
    auto words = std::make_shared<std::vector<std::string>>();
    added->add_option("words", *words, command.syntax)->required();
    added->callback(
        [name = std::string(command.name), words, &exit_status] { exit_status = run(name, *words); });
  }
  add_endpoint(*pm, exit_status);
  add_limits(*pm, exit_status);
}

}  // namespace braid::cli
