// `braid limits`: how many paths a connection may have, in the words of `ip mptcp limits`.
#include <fmt/format.h>

#include <charconv>
#include <memory>
#include <string>
#include <vector>

#include "cli/control_call.h"
#include "cli/subcommands.h"

namespace braid::cli {

namespace {
constexpr const char* kFooter = R"(
Examples:
  braid limits
  braid limits set subflows 4                  at most 4 paths besides the first
  braid limits set add_addr_accepted 0         never connect to addresses that peers announce)";

int call(const nlohmann::json& request) {
  const auto limits = call_daemon(request);
  if (!limits) return 1;
  fmt::print("subflows {} add_addr_accepted {}\n", limits->value("subflows", 0),
             limits->value("add_addr_accepted", 0));
  return 0;
}

// "subflows N" and "add_addr_accepted N", in any order.
int set(const std::vector<std::string>& words) {
  nlohmann::json request = {{"command", "limits"}, {"action", "set"}};
  for (size_t i = 0; i < words.size(); i += 2) {
    const std::string& name = words[i];
    if (name != "subflows" && name != "add_addr_accepted") {
      fmt::print(stderr, "braid limits set: '{}' is neither subflows nor add_addr_accepted\n", name);
      return kExitUsage;
    }
    int value = -1;
    if (i + 1 < words.size()) {
      const std::string& text = words[i + 1];
      const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (error != std::errc() || rest != text.data() + text.size()) value = -1;
    }
    if (value < 0 || value > 255) {
      fmt::print(stderr, "braid limits set: {} takes a number from 0 to 255\n", name);
      return kExitUsage;
    }
    request[name] = value;
  }
  return call(request);
}
}  // namespace

void add_limits(CLI::App& app, int& exit_status) {
  CLI::App* command = app.add_subcommand("limits", "How many paths a connection may have (as in `ip mptcp`)");
  command->footer(kFooter);
  command->require_subcommand(0, 1);
  const auto show = [&exit_status] { exit_status = call({{"command", "limits"}, {"action", "show"}}); };
  command->add_subcommand("show", "Show them (what `braid limits` alone does)")->callback(show);
  CLI::App* setter = command->add_subcommand("set", "Set one or both, for paths that come later");
  auto words = std::make_shared<std::vector<std::string>>();
  setter->add_option("words", *words, "subflows N (paths besides the first), add_addr_accepted N")
      ->required();
  setter->callback([words, &exit_status] { exit_status = set(*words); });
  command->callback([command, show] {
    if (command->get_subcommands().empty()) show();
  });
}

}  // namespace braid::cli
