#include "config/connection_settings.h"

#include <algorithm>
#include <charconv>

#include "mptcp/coupled/coupled.h"
#include "mptcp/path_manager/path_manager.h"
#include "mptcp/scheduler/scheduler.h"

namespace braid::config {

namespace {

constexpr int64_t kMostLabel = 63;
constexpr uint64_t kLeastBuffer = 4096, kMostBuffer = uint64_t{1} << 30;

/// "192.0.2.0/24", "192.0.2.1".
bool read_prefix(TomlTable& table, std::string_view key, mptcp::PathRule& rule) {
  std::string text;
  table.read(key, text);
  const size_t slash = text.find('/');
  const auto address = wire::IpAddress::parse(text.substr(0, slash));
  if (!address) return false;
  const int most = address->is_v4() ? 32 : 128;
  rule.network = *address;
  rule.prefix_bits = most;
  if (slash == std::string::npos) return true;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data() + slash + 1, end, rule.prefix_bits);
  return error == std::errc() && at == end && rule.prefix_bits > 0 && rule.prefix_bits <= most;
}

mptcp::PathRule read_path(TomlTable table) {
  mptcp::PathRule rule;
  table.read("interface", rule.interface);
  if (table.has("address") && !read_prefix(table, "address", rule))
    table.complain("address", "expected an address or a prefix, such as \"192.0.2.0/24\"");
  table.read("weight", rule.policy.weight, 1, 1'000'000);
  table.read("priority", rule.policy.priority, 0, 1000);
  if (table.has("budget")) table.read_size("budget", rule.policy.budget_bytes, 0, uint64_t{1} << 60);
  table.refuse_others();
  return rule;
}

void read_paths(TomlTable& table, std::vector<mptcp::PathRule>& rules) {
  const toml::array* paths =
      table.read_array("paths", "an array of tables, such as [{interface = \"wlan0\"}]");
  if (paths == nullptr) return;
  rules.clear();
  for (const toml::node& node : *paths) {
    if (!node.is_table()) return table.complain("paths", "expected tables, such as {interface = \"wlan0\"}");
    rules.push_back(read_path(table.inner(node.as_table(), "paths")));
  }
}

void read_version(TomlTable& table, std::string_view key, mptcp::Version& version) {
  auto number = static_cast<uint8_t>(version);
  table.read(key, number, 0, 1);
  version = static_cast<mptcp::Version>(number);
}

void read_labels(TomlTable& table, std::vector<uint8_t>& labels) {
  const toml::array* array = table.read_array("labels", "an array of DSCP values, such as [0, 10, 12]");
  if (array == nullptr) return;
  labels.clear();
  for (const toml::node& node : *array) {
    const int64_t value = node.value_exact<int64_t>().value_or(-1);
    if (value < 0 || value > kMostLabel) return table.complain("labels", "each is a DSCP value, 0 to 63");
    labels.push_back(static_cast<uint8_t>(value));
  }
}

void read_open_paths(TomlTable& table, mptcp::OpenPaths& open) {
  table.read_size("open_paths_after", open.after_bytes, 0, kMostBuffer);
  table.read_duration("open_paths_after_age", open.after_age);
  table.read("open_paths_after_slow_start", open.after_slow_start);
  const toml::array* array = table.read_array("open_paths_at_once_ports", "an array of ports, such as [22]");
  if (array == nullptr) return;
  open.at_once_ports.clear();
  for (const toml::node& node : *array) {
    const int64_t port = node.value_exact<int64_t>().value_or(0);
    if (port < 1 || port > 65535)
      return table.complain("open_paths_at_once_ports", "each is a port, 1 to 65535");
    open.at_once_ports.push_back(static_cast<uint16_t>(port));
  }
}

std::string_view name_of(const mptcp::FastOpenConfig& fast_open) {
  if (fast_open.as_client) return fast_open.as_server ? "both" : "client";
  return fast_open.as_server ? "server" : "off";
}

void read_fast_open(TomlTable& table, mptcp::FastOpenConfig& fast_open) {
  std::string text(name_of(fast_open));
  table.read_choice("fast_open", text, {"off", "client", "server", "both"});
  fast_open.as_client = text == "client" || text == "both";
  fast_open.as_server = text == "server" || text == "both";
  // A SYN that goes before its data are there would be for nothing.
  fast_open.waits_for_data = fast_open.as_client;
  table.read("fast_open_most_pending", fast_open.most_pending, 1, 65535);
}

}  // namespace

void read_connection(TomlTable& table, mptcp::ConnectionConfig& c) {
  table.read("multipath", c.is_multipath);
  table.read("checksum", c.require_checksum);
  read_version(table, "lowest_version", c.lowest_version);
  read_version(table, "highest_version", c.highest_version);
  c.lowest_version = std::min(c.lowest_version, c.highest_version);
  std::string fastclose = c.fastclose == mptcp::FastcloseForm::kAck ? "ack" : "rst";
  table.read_choice("fastclose", fastclose, {"ack", "rst"});
  c.fastclose = fastclose == "ack" ? mptcp::FastcloseForm::kAck : mptcp::FastcloseForm::kRst;
  table.read("deny_join_initial", c.deny_join_initial);
  read_fast_open(table, c.fast_open);
  table.read_choice("scheduler", c.scheduler, mptcp::scheduler_names());
  table.read("strict_shares", c.scheduler_options.is_share_strict);
  table.read("standby", c.scheduler_options.is_standby);
  read_paths(table, c.paths);
  table.read_choice("congestion_control", c.congestion_control, mptcp::all_congestion_control_names());
  table.read_choice("path_manager", c.path_manager, mptcp::path_manager_names());
  read_labels(table, c.labels);
  read_open_paths(table, c.open_paths);
  table.read_size("send_buffer", c.send_buffer_bytes, kLeastBuffer, kMostBuffer);
  table.read_size("receive_buffer", c.receive_buffer_bytes, kLeastBuffer, kMostBuffer);
  table.read("autotune", c.autotune);
  table.read("opportunistic_retransmission", c.opportunistic_retransmission);
  table.read("penalise", c.penalise);
  table.read("cap_rtt", c.cap_rtt);
  table.read("no_delay", c.no_delay);
  table.read("max_subflows", c.max_subflows, 1, 255);
  table.read("syn_attempts_with_multipath", c.syn_attempts_with_multipath, 0, 127);
  table.read("syn_attempts", c.subflow.syn_attempts, 1, 127);
  table.read_duration("race_delay", c.race_delay);
  table.read_duration("path_keepalive", c.path_keepalive);
  table.read_duration("path_keepalive_interval", c.path_keepalive_interval);
  table.read("path_keepalive_attempts", c.path_keepalive_attempts, 1, 127);
  table.read_duration("join_timeout", c.join_timeout);
  table.read_duration("survive_without_subflows", c.survive_without_subflows);
  table.read_duration("dead_path_probe_max", c.dead_path_probe_max);
  table.read_duration("linger", c.linger);
  table.read_duration("delayed_ack", c.subflow.delayed_ack);
  table.read_duration("time_wait", c.subflow.time_wait);
  c.initial_send_buffer_bytes = std::min(c.initial_send_buffer_bytes, c.send_buffer_bytes);
  c.initial_receive_buffer_bytes = std::min(c.initial_receive_buffer_bytes, c.receive_buffer_bytes);
}

}  // namespace braid::config
