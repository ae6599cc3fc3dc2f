#include "service/policy.h"

#include <fmt/format.h>
#include <fnmatch.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <fstream>
#include <sstream>

#include "config/connection_settings.h"

namespace braid::service {

namespace {

using config::TomlErrors;
using config::TomlTable;

constexpr std::array<std::string_view, 7> kOwnKeys = {"name",        "program", "user",  "port",
                                                      "destination", "use",     "action"};

// A value, or an array of such.
template <class Visit>
void for_each_value(TomlTable& table, std::string_view key, Visit&& visit) {
  const toml::node* node = table.read_any(key);
  if (node == nullptr) return;
  const toml::array* array = node->as_array();
  if (array == nullptr) return visit(*node);
  if (array->empty()) table.complain(key, "an empty list fits nothing");
  for (const toml::node& element : *array) visit(element);
}

void read_programs(TomlTable& table, PolicyRule& rule) {
  for_each_value(table, "program", [&](const toml::node& node) {
    const std::string pattern = node.value_exact<std::string>().value_or("");
    if (pattern.empty())
      return table.complain("program", "expected a name or path, such as \"curl\", \"/usr/bin/*\"");
    rule.programs.push_back(pattern);
  });
}

void read_users(TomlTable& table, PolicyRule& rule) {
  for_each_value(table, "user", [&](const toml::node& node) {
    if (const auto uid = node.value_exact<int64_t>(); uid && *uid >= 0 && *uid < UINT32_MAX) {
      rule.users.push_back(static_cast<uint32_t>(*uid));
      return;
    }
    const auto name = node.value_exact<std::string>();
    if (!name) return table.complain("user", "expected a name or a number");
    const passwd* const entry = getpwnam(name->c_str());
    if (entry == nullptr) return table.complain("user", fmt::format("there is no user \"{}\"", *name));
    rule.users.push_back(entry->pw_uid);
  });
}

std::optional<PolicyRule::Ports> read_ports(const toml::node& node) {
  int64_t first = 0, last = 0;
  if (const auto port = node.value_exact<int64_t>()) {
    first = last = *port;
  } else if (const auto text = node.value_exact<std::string>()) {
    std::istringstream words(*text);
    char dash = 0;
    if (!(words >> first >> dash >> last) || dash != '-' || !(words >> std::ws).eof()) return std::nullopt;
  }
  if (first < 1 || last > 65535 || first > last) return std::nullopt;
  return PolicyRule::Ports{static_cast<uint16_t>(first), static_cast<uint16_t>(last)};
}

std::optional<PolicyRule::Network> read_network(const std::string& text) {
  const size_t slash = text.rfind('/');
  const auto address = wire::IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  const int most = address->is_v4() ? 32 : 128;
  PolicyRule::Network network{*address, most};
  if (slash == std::string::npos) return network;
  std::istringstream bits(text.substr(slash + 1));
  if (!(bits >> network.prefix_bits) || !(bits >> std::ws).eof()) return std::nullopt;
  if (network.prefix_bits < 0 || network.prefix_bits > most) return std::nullopt;
  return network;
}

void read_destinations(TomlTable& table, PolicyRule& rule) {
  for_each_value(table, "destination", [&](const toml::node& node) {
    const auto network = read_network(node.value_exact<std::string>().value_or(""));
    if (!network) {
      return table.complain("destination", "expected an address or a network, such as \"192.0.2.0/24\"");
    }
    rule.destinations.push_back(*network);
  });
}

PolicyRule read_rule(const toml::table& node, size_t number, TomlErrors& errors) {
  TomlTable table(&node, "[[rule]]", errors);
  PolicyRule rule;
  rule.name = fmt::format("rule {}", number);
  rule.line = node.source().begin.line;
  table.read("name", rule.name);
  read_programs(table, rule);
  read_users(table, rule);
  for_each_value(table, "port", [&](const toml::node& value) {
    if (const auto ports = read_ports(value)) return rule.ports.push_back(*ports);
    table.complain("port", "expected a port, or a range such as \"8000-8999\"");
  });
  read_destinations(table, rule);
  std::string use = "any", action;
  table.read_choice("use", use, {"connect", "listen", "any"});
  if (use != "any") rule.use = use == "connect" ? PolicyUse::kConnect : PolicyUse::kListen;
  table.read_choice("action", action, {"braid", "kernel", "capture"});
  if (!table.has("action")) table.complain("action", "is needed: \"braid\", \"kernel\" or \"capture\"");
  if (action == "kernel") rule.action = PolicyAction::kKernel;
  if (action == "capture") rule.action = PolicyAction::kCapture;
  if (action == "capture" && !rule.is_about_programs()) {
    table.complain("action",
                   "\"capture\" is decided when a program starts: only by \"program\" and \"user\"");
  }
  mptcp::ConnectionConfig checked;
  config::read_connection(table, checked);
  table.refuse_others();
  for (const auto& [key, value] : node) {
    if (std::ranges::count(kOwnKeys, key.str()) == 0) rule.settings.insert(key, value);
  }
  if (action == "kernel" && !rule.settings.empty()) {
    table.complain(rule.settings.begin()->first.str(), "means nothing to the kernel's TCP");
  }
  return rule;
}

}  // namespace

std::string_view to_string(PolicyAction action) {
  switch (action) {
    case PolicyAction::kBraid:
      return "braid";
    case PolicyAction::kKernel:
      return "kernel";
    case PolicyAction::kCapture:
      return "capture";
  }
  return "";
}

// A pattern with a slash is about the whole path, another about the file's name.
bool PolicyRule::fits_program(const PolicyQuestion& question) const {
  const auto is_meant = [&](const std::string& pattern) {
    const bool is_path = pattern.find('/') != std::string::npos;
    const size_t slash = question.program.rfind('/');
    const std::string shown =
        is_path || slash == std::string::npos ? question.program : question.program.substr(slash + 1);
    return fnmatch(pattern.c_str(), shown.c_str(), is_path ? FNM_PATHNAME : 0) == 0;
  };
  return (programs.empty() || std::ranges::any_of(programs, is_meant)) &&
         (users.empty() || std::ranges::count(users, question.uid) > 0);
}

bool PolicyRule::fits(const PolicyQuestion& question) const {
  const wire::Endpoint& at = question.endpoint;
  const auto holds_port = [&](const Ports& range) { return at.port >= range.first && at.port <= range.last; };
  const auto holds_address = [&](const Network& network) {
    return network.address.family() == at.address.family() &&
           wire::in_prefix(at.address, network.address, network.prefix_bits);
  };
  return fits_program(question) && (!use || *use == question.use) &&
         (ports.empty() || std::ranges::any_of(ports, holds_port)) &&
         (destinations.empty() || std::ranges::any_of(destinations, holds_address));
}

void Policy::set_base(const mptcp::ConnectionConfig& base) {
  for (PolicyRule& rule : rules_) {
    if (rule.settings.empty()) continue;
    TomlErrors none("");  // it was checked when it was read
    TomlTable table(&rule.settings, "[[rule]]", none);
    rule.connection = base;
    config::read_connection(table, *rule.connection);
  }
}

const PolicyRule* Policy::decide(const PolicyQuestion& question) const {
  const auto found = std::ranges::find_if(rules_, [&](const PolicyRule& r) { return r.fits(question); });
  return found == rules_.end() ? nullptr : &*found;
}

PolicyAction Policy::decide_start(const std::string& program, uint32_t uid) const {
  const PolicyQuestion question{.program = program, .uid = uid, .endpoint = {}};
  bool may_use_braid = false;
  for (const PolicyRule& rule : rules_) {
    if (!rule.fits_program(question)) continue;
    if (!rule.is_about_programs()) {
      may_use_braid = may_use_braid || rule.action != PolicyAction::kKernel;
      continue;
    }
    return rule.action == PolicyAction::kKernel && may_use_braid ? PolicyAction::kBraid : rule.action;
  }
  return PolicyAction::kBraid;
}

void read_rules(const toml::table& root, Policy& policy, TomlErrors& errors) {
  const toml::node* node = root.get("rule");
  if (node == nullptr) return;
  const toml::array* array = node->as_array();
  if (array == nullptr || !array->is_array_of_tables()) {
    return errors.add(node->source().begin, "rule must be an array of tables: [[rule]]");
  }
  size_t number = 0;
  for (const toml::node& element : *array) policy.add(read_rule(*element.as_table(), ++number, errors));
}

tl::expected<Policy, std::string> parse_policy(std::string_view text, std::string_view name) {
  TomlErrors errors{std::string(name)};
  toml::table root;
  try {
    root = toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    errors.add(error.source().begin, std::string(error.description()));
    return tl::unexpected(errors.text());
  }
  Policy policy;
  read_rules(root, policy, errors);
  for (const auto& [key, node] : root) {
    if (key.str() == "rule") continue;
    errors.add(key.source().begin, fmt::format("a policy has [[rule]] tables only, and no {}", key.str()));
  }
  if (!errors.empty()) return tl::unexpected(errors.text());
  return policy;
}

tl::expected<Policy, std::string> read_policy(const std::string& path) {
  std::ifstream file(path);
  if (!file) return tl::unexpected(fmt::format("{}: {}", path, std::strerror(errno)));
  std::ostringstream text;
  text << file.rdbuf();
  return parse_policy(text.str(), path);
}

std::string program_of(int pid) {
  std::array<char, PATH_MAX> path;
  const ssize_t size = readlink(fmt::format("/proc/{}/exe", pid).c_str(), path.data(), path.size());
  return size <= 0 ? std::string() : std::string(path.data(), static_cast<size_t>(size));
}

}  // namespace braid::service
