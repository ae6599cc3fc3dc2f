// `braid endpoint`: the addresses that paths may use, in the words of `ip mptcp endpoint`.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/control_call.h"
#include "cli/subcommands.h"
#include "wire/address.h"

namespace braid::cli {

namespace {
using Words = std::vector<std::string>;

constexpr const char* kFooter = R"(
Flags: subflow   open paths from this address
       signal    announce it to peers, who may then open paths to it
       backup    its paths carry data only when no other can
       fullmesh  from it to every address of the peer

Examples:
  braid endpoint                                          those there are
  braid endpoint add 192.0.2.7 dev eth1 subflow signal
  braid endpoint change id 2 backup                       keep that path in reserve
  braid endpoint change id 2 nobackup                     and use it again
  braid endpoint delete id 2)";

/// What follows "add", "change" or "delete".
struct Request {
  std::optional<std::string> address;
  std::optional<int> id;
  std::optional<int> port;
  std::optional<std::string> device;
  Words flags;
};

bool is_flag(std::string_view word) {
  static constexpr std::array kFlags = {"subflow", "signal", "backup", "nobackup", "fullmesh", "nofullmesh"};
  return std::find(kFlags.begin(), kFlags.end(), word) != kFlags.end();
}

std::optional<int> parse_number(const std::string& word, int most) {
  int value = 0;
  const auto [rest, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || rest != word.data() + word.size() || value < 1 || value > most) return {};
  return value;
}

/// The error, or nothing.
std::string parse(const Words& words, Request& request) {
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const bool has_value = word == "id" || word == "port" || word == "dev";
    if (has_value && i + 1 == words.size()) return word + " needs a value";
    if (word == "id") {
      request.id = parse_number(words[++i], 255);
      if (!request.id) return words[i] + " is not an address ID (1 to 255)";
    } else if (word == "port") {
      request.port = parse_number(words[++i], 65535);
      if (!request.port) return words[i] + " is not a port";
    } else if (word == "dev") {
      request.device = words[++i];
    } else if (is_flag(word)) {
      request.flags.push_back(word);
    } else if (wire::IpAddress::parse(word) && !request.address) {
      request.address = word;
    } else {
      return fmt::format("'{}' is neither an address, nor id, port, dev, nor a flag", word);
    }
  }
  return {};
}

void show(const nlohmann::json& endpoints) {
  size_t width = 0;
  for (const auto& e : endpoints) width = std::max(width, e.value("address", "").size());
  for (const auto& e : endpoints) {
    std::string line = fmt::format("{:<{}}  id {:>3}", e.value("address", ""), width, e.value("id", 0));
    if (const int port = e.value("port", 0)) line += fmt::format("  port {}", port);
    for (const auto& flag : e.value("flags", nlohmann::json::array())) {
      line += "  " + flag.get<std::string>();
    }
    if (const std::string device = e.value("interface", ""); !device.empty()) line += "  dev " + device;
    fmt::print("{}\n", line);
  }
}

/// The endpoint that "delete" or "change" names, by its ID or its address; nothing, and a word to the user.
std::optional<nlohmann::json> find(const Request& request) {
  const auto endpoints = call_daemon({{"command", "endpoint"}, {"action", "show"}});
  if (!endpoints) return {};
  for (const auto& e : *endpoints) {
    const bool is_it =
        request.id ? e.value("id", 0) == *request.id : e.value("address", "") == request.address;
    if (is_it && (!request.port || e.value("port", 0) == *request.port)) return e;
  }
  fmt::print(stderr, "braid endpoint: there is no endpoint {}\n",
             request.id ? fmt::format("with the ID {}", *request.id) : request.address.value_or(""));
  return {};
}

/// What is not named stays as it is: the daemon wants all flags.
Words changed_flags(Words flags, const Words& changes) {
  for (const std::string& change : changes) {
    const bool is_off = change.starts_with("no");
    const std::string flag = is_off ? change.substr(2) : change;
    std::erase(flags, flag);
    if (!is_off) flags.push_back(flag);
  }
  return flags;
}

int act(const std::string& action, const Request& request) {
  nlohmann::json message = {{"command", "endpoint"}, {"action", action}};
  if (action == "add") {
    if (request.address) message["address"] = *request.address;
    if (request.id) message["id"] = *request.id;
    if (request.port) message["port"] = *request.port;
    if (request.device) message["interface"] = *request.device;
    message["flags"] = changed_flags({}, request.flags);
  } else {
    const auto found = find(request);
    if (!found) return 1;
    message["id"] = found->value("id", 0);
    if (action == "change") message["flags"] = changed_flags(found->value("flags", Words()), request.flags);
  }
  const auto result = call_daemon(message);
  if (result && action == "add") fmt::print("id {}\n", result->value("id", 0));
  return result ? 0 : 1;
}

int run(const std::string& action, const Words& words) {
  Request request;
  std::string error = parse(words, request);
  if (error.empty() && action == "add" && !request.address) error = "an address is needed";
  if (error.empty() && action != "add" && !request.address && !request.id)
    error = "say which: id N, or its address";
  if (error.empty() && action == "change" && request.flags.empty())
    error = "say what to change: backup, nobackup ...";
  if (!error.empty()) {
    fmt::print(stderr, "braid endpoint {}: {}\n", action, error);
    return kExitUsage;
  }
  return act(action, request);
}

void add_action(CLI::App& endpoint, const std::string& name, const std::string& description,
                const std::string& syntax, int& exit_status) {
  CLI::App* command = endpoint.add_subcommand(name, description);
  auto words = std::make_shared<Words>();
  command->add_option("words", *words, syntax)->required();
  command->callback([name, words, &exit_status] { exit_status = run(name, *words); });
}

int show_all(bool as_json) {
  const auto endpoints = call_daemon({{"command", "endpoint"}, {"action", "show"}});
  if (!endpoints) return 1;
  if (as_json) {
    fmt::print("{}\n", endpoints->dump(2));
  } else {
    show(*endpoints);
  }
  return 0;
}
}  // namespace

void add_endpoint(CLI::App& app, int& exit_status) {
  CLI::App* command = app.add_subcommand("endpoint", "The addresses that paths may use (as in `ip mptcp`)");
  command->footer(kFooter);
  command->require_subcommand(0, 1);
  add_action(*command, "add", "Add an address", "ADDRESS [dev NAME] [id N] [port N] [FLAG...]", exit_status);
  add_action(*command, "delete", "Remove one; its paths are closed", "id N, or ADDRESS", exit_status);
  add_action(*command, "change", "Change its flags", "id N, or ADDRESS; FLAG...", exit_status);
  CLI::App* shown = command->add_subcommand("show", "Show them all (what `braid endpoint` alone does)");
  auto as_json = std::make_shared<bool>(false);
  shown->add_flag("--json", *as_json, "For programs");
  shown->callback([as_json, &exit_status] { exit_status = show_all(*as_json); });
  command->callback([command, &exit_status] {
    if (command->get_subcommands().empty()) exit_status = show_all(false);
  });
}

}  // namespace braid::cli
