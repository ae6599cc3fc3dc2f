// `braid ss`: connections and their subflows, as ss(8) shows sockets.
#include <fmt/format.h>

#include <memory>

#include "cli/control_call.h"
#include "cli/ss_format.h"
#include "cli/subcommands.h"

namespace braid::cli {

namespace {
constexpr const char* kFooter = R"(
For each connection: its state and ends, how it stands with MPTCP (or why it is plain TCP), what it moved;
then a pair of lines for each path: address ID, ends, state, its share of the bytes, round-trip time, congestion
window; and what was sent, received, lost and sent again.

Examples:
  braid ss
  watch -n1 braid ss
  braid ss --json | jq '.connections[].subflows | length'
  BRAID_SOCKET=/run/other.sock braid ss           another daemon's)";
}

void add_ss(CLI::App& app, int& exit_status) {
  CLI::App* command = app.add_subcommand("ss", "Connections, and what each of their paths does");
  command->footer(kFooter);
  auto as_json = std::make_shared<bool>(false);
  command->add_flag("--json", *as_json, "For programs");
  command->callback([as_json, &exit_status] {
    const auto answer = call_daemon({{"command", "ss"}});
    exit_status = answer ? 0 : 1;
    if (answer) fmt::print("{}", *as_json ? answer->dump(2) + "\n" : format_ss(*answer));
  });
}

}  // namespace braid::cli
