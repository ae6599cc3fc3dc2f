#include "service/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <sstream>

#include "config/closest.h"
#include "config/connection_settings.h"
#include "config/toml_reader.h"
#include "plugin/plugins.h"
#include "service/config_check.h"
#include "service/http_server.h"

namespace braid::service {

using config::closest;
using config::TomlErrors;
using config::TomlTable;

namespace {

constexpr uint64_t kLeastBuffer = 4096;
constexpr uint32_t kLoopback = 0x7f000001;

void read_limits(TomlTable table, mptcp::PathLimits& limits) {
  table.read("subflows", limits.subflows, 0, 64);
  table.read("add_addr_accepted", limits.add_addr_accepted, 0, 64);
  table.refuse_others();
}

// The same rules as `ip mptcp endpoint add`.
void read_endpoint(TomlTable table, std::vector<mptcp::PathEndpoint>& endpoints) {
  mptcp::PathEndpoint endpoint;
  if (!table.read_address("address", endpoint.address) && !table.has("address")) {
    table.complain("address", "is needed");
  }
  std::vector<std::string> flags;
  table.read("port", endpoint.port, 1, 65535);
  table.read("id", endpoint.id, 1, 255);
  table.read("interface", endpoint.interface);
  table.read("flags", flags);
  for (const std::string& flag : flags) {
    if (set_endpoint_flag(endpoint, flag)) continue;
    const std::string_view meant = closest(flag, endpoint_flag_names());
    table.complain("flags", fmt::format("there is no flag \"{}\"{}", flag,
                                        meant.empty() ? ": signal, subflow, backup, fullmesh"
                                                      : fmt::format("; did you mean \"{}\"?", meant)));
  }
  if (const std::string_view wrong = contradiction_in(endpoint); !wrong.empty()) {
    table.complain("flags", std::string(wrong));
  }
  table.refuse_others();
  endpoints.push_back(endpoint);
}

void read_addresses(TomlTable& table, std::string_view key, std::vector<host::AddressConfig>& out) {
  std::vector<std::string> texts;
  table.read(key, texts);
  for (const std::string& text : texts) {
    const size_t slash = text.find('/');
    const auto address = wire::IpAddress::parse(text.substr(0, slash));
    host::AddressConfig config;
    bool is_sound = address.has_value();
    if (is_sound) {
      config.address = *address;
      config.prefix_bits = address->is_v4() ? 32 : 128;
    }
    if (is_sound && slash != std::string::npos) {
      const char* const end = text.data() + text.size();
      const int most = config.prefix_bits;
      const auto [at, error] = std::from_chars(text.data() + slash + 1, end, config.prefix_bits);
      is_sound = error == std::errc() && at == end && config.prefix_bits >= 0 && config.prefix_bits <= most;
    }
    if (is_sound) {
      out.push_back(config);
    } else {
      table.complain(key, fmt::format("\"{}\" is no address with a prefix, such as \"192.0.2.1/24\"", text));
    }
  }
}

void read_network(TomlTable table, io::NetworkConfig& network) {
  read_addresses(table, "addresses", network.addresses);
  read_addresses(table, "kernel_addresses", network.kernel_addresses);
  table.read("mtu", network.mtu, 576, 65535);
  table.read("device", network.device);
  table.read("interfaces", network.interfaces);
  table.read("excluded_interfaces", network.excluded_interfaces);
  table.read("ipv4", network.use_ipv4);
  table.read("ipv6", network.use_ipv6);
  table.read_port_range("ports", network.first_port, network.last_port);
  table.read("ports_per_instance", network.ports_per_instance, 1, 65535);
  table.read("auto_endpoints", network.auto_endpoints);
  std::vector<std::string> gateways;
  table.read("gateways", gateways);
  for (const std::string& text : gateways) {
    if (auto gateway = parse_gateway(text)) {
      network.gateways.push_back(std::move(*gateway));
    } else {
      table.complain("gateways", fmt::format("\"{}\" is nothing like \"eth1=192.0.2.254\"", text));
    }
  }
  std::string firewall(firewall_words().front());
  table.read_choice("firewall", firewall, {"replies", "open", "leave"});
  network.firewall = parse_firewall(firewall).value_or(network.firewall);
  table.refuse_others();
}

void read_history(TomlTable table, HistoryLimits& history) {
  table.read_size("memory", history.memory_bytes, 0, uint64_t{4} << 30);
  table.read("decisions", history.decisions, 8, 65536);
  table.read("closed_connections", history.closed_connections, 0, 10'000'000);
  table.read_duration("closed_for", history.closed_for);
  table.refuse_others();
}

void read_metrics(TomlTable table, MetricsSettings& metrics) {
  table.read("listen", metrics.listen);
  if (!metrics.listen.empty())
    if (const auto address = parse_http_address(metrics.listen); !address)
      table.complain("listen", address.error());
  table.read("connections", metrics.connections, 0, 100'000);
  table.refuse_others();
}

void read_sockets(TomlTable table, SocketSettings& sockets, host::HostConfig& host) {
  table.read("syn_cookies", host.syn_cookies);
  table.read("kernel_fallback", sockets.kernel_fallback);
  uint64_t buffer = sockets.stream_buffer_bytes;
  table.read_size("stream_buffer", buffer, kLeastBuffer, uint64_t{64} << 20);
  sockets.stream_buffer_bytes = static_cast<uint32_t>(buffer);
  table.refuse_others();
}

/// Before everything else: other keys name what is in them.
void load_plugins(TomlTable table, Config& config) {
  table.read("plugins", config.plugins);
  for (const std::string& file : config.plugins) {
    if (const auto done = plugin::load(file); !done) table.complain("plugins", done.error());
  }
}

void read_daemon(TomlTable table, Config& config) {
  table.read("plugins", config.plugins);
  table.read("socket", config.socket_path);
  table.read("pcap", config.capture_path);
  table.read("events", config.events_path);
  table.read("group", config.group);
  table.read_choice("log_level", config.log_level,
                    {"trace", "debug", "info", "warn", "error", "critical", "off"});
  table.refuse_others();
}

// A top-level key that is a table; an error if it is something else.
const toml::table* table_at(const toml::table& root, std::string_view key, TomlErrors& errors) {
  const toml::node* node = root.get(key);
  if (node == nullptr) return nullptr;
  if (!node->is_table()) errors.add(node->source().begin, fmt::format("{} must be a table: [{}]", key, key));
  return node->as_table();
}

void read_endpoints(const toml::table& root, std::vector<mptcp::PathEndpoint>& endpoints,
                    TomlErrors& errors) {
  const toml::node* node = root.get("endpoint");
  if (node == nullptr) return;
  const toml::array* array = node->as_array();
  if (array == nullptr || !array->is_array_of_tables()) {
    return errors.add(node->source().begin, "endpoint must be an array of tables: [[endpoint]]");
  }
  for (const toml::node& element : *array) {
    read_endpoint(TomlTable(element.as_table(), "[[endpoint]]", errors), endpoints);
  }
}

void read_listen(TomlTable table, std::vector<ListenSpec>& listens) {
  ListenSpec spec;
  spec.local.address = wire::IpAddress::any(wire::Family::kV6);
  if (!table.has("port")) table.complain("port", "is needed");
  table.read("port", spec.local.port, 1, 65535);
  table.read_address("address", spec.local.address);
  spec.target = {wire::IpAddress::v4(kLoopback), spec.local.port};
  std::string to;
  table.read("to", to);
  if (!to.empty()) {
    const auto target = wire::Endpoint::parse(to);
    if (target && target->port != 0 && !target->address.is_unspecified()) {
      spec.target = *target;
    } else {
      table.complain("to", fmt::format("\"{}\" is no address and port, such as \"127.0.0.1:8443\"", to));
    }
  }
  table.read("proxy_protocol", spec.sends_proxy_header);
  table.read("max_connections", spec.max_connections, 1, 1'000'000);
  table.refuse_others();
  listens.push_back(spec);
}

void read_listens(const toml::table& root, std::vector<ListenSpec>& listens, TomlErrors& errors) {
  const toml::node* node = root.get("listen");
  if (node == nullptr) return;
  const toml::array* array = node->as_array();
  if (array == nullptr || !array->is_array_of_tables()) {
    return errors.add(node->source().begin, "listen must be an array of tables: [[listen]]");
  }
  for (const toml::node& element : *array) {
    read_listen(TomlTable(element.as_table(), "[[listen]]", errors), listens);
  }
}

void refuse_other_tables(const toml::table& root, TomlErrors& errors) {
  const std::vector<std::string_view> tables = {"connection", "limits",  "network",  "sockets", "daemon",
                                                "history",    "metrics", "endpoint", "listen",  "rule"};
  for (const auto& [key, node] : root) {
    if (std::ranges::count(tables, key.str()) > 0) continue;
    const std::string_view meant = closest(key.str(), tables);
    errors.add(key.source().begin,
               meant.empty() ? fmt::format("unknown table [{}]", key.str())
                             : fmt::format("unknown table [{}]; did you mean [{}]?", key.str(), meant));
  }
}

}  // namespace

std::optional<std::pair<std::string, wire::IpAddress>> parse_gateway(std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == 0 || equals == std::string_view::npos) return {};
  const auto address = wire::IpAddress::parse(text.substr(equals + 1));
  if (!address || address->is_unspecified()) return {};
  return std::pair(std::string(text.substr(0, equals)), *address);
}

const std::vector<std::string>& firewall_words() {
  static const std::vector<std::string> kWords = {"replies", "open", "leave"};
  return kWords;
}

std::optional<io::FirewallMode> parse_firewall(std::string_view word) {
  if (word == "replies") return io::FirewallMode::kReplies;
  if (word == "open") return io::FirewallMode::kOpen;
  if (word == "leave") return io::FirewallMode::kLeave;
  return {};
}

bool set_endpoint_flag(mptcp::PathEndpoint& endpoint, std::string_view flag) {
  if (flag == "signal") return endpoint.is_signal = true;
  if (flag == "subflow") return endpoint.is_subflow = true;
  if (flag == "backup") return endpoint.is_backup = true;
  if (flag == "fullmesh") return endpoint.is_fullmesh = true;
  return false;
}

const std::vector<std::string_view>& endpoint_flag_names() {
  static const std::vector<std::string_view> kNames = {"signal", "subflow", "backup", "fullmesh"};
  return kNames;
}

std::string_view contradiction_in(const mptcp::PathEndpoint& endpoint) {
  if (endpoint.is_signal && endpoint.is_fullmesh) return "signal and fullmesh exclude each other";
  if (endpoint.port != 0 && !endpoint.is_signal) return "a port is only announced: it needs the flag signal";
  return {};
}

CheckedConfig check_config(std::string_view text, std::string_view name) {
  CheckedConfig checked;
  TomlErrors errors{std::string(name)};
  toml::table root;
  try {
    root = toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    errors.add(error.source().begin, std::string(error.description()));
    checked.errors = errors.findings();
    return checked;
  }
  Config& config = checked.config;
  const auto table = [&](std::string_view key) {
    return TomlTable(table_at(root, key, errors), fmt::format("[{}]", key), errors);
  };
  load_plugins(table("daemon"), config);
  TomlTable connection = table("connection");
  config::read_connection(connection, config.host.connection);
  connection.refuse_others();
  read_limits(table("limits"), config.host.paths.limits);
  read_network(table("network"), config.network);
  read_sockets(table("sockets"), config.sockets, config.host);
  read_daemon(table("daemon"), config);
  read_history(table("history"), config.history);
  read_metrics(table("metrics"), config.metrics);
  read_endpoints(root, config.host.paths.endpoints, errors);
  read_listens(root, config.listens, errors);
  read_rules(root, config.policy, errors);
  refuse_other_tables(root, errors);
  checked.errors = errors.findings();
  std::ranges::sort(checked.errors);
  checked.asked = errors.keys();
  if (checked.errors.empty()) checked.warnings = contradictions(root, config);
  return checked;
}

tl::expected<Config, std::string> parse_config(std::string_view text, std::string_view name) {
  CheckedConfig checked = check_config(text, name);
  if (!checked.errors.empty()) {
    std::vector<std::string> lines;
    for (const config::TomlFinding& error : checked.errors) lines.push_back(to_text(name, error));
    return tl::unexpected(fmt::format("{}", fmt::join(lines, "\n")));
  }
  for (const config::TomlFinding& warning : checked.warnings) {
    checked.config.warnings.push_back(to_text(name, warning));
  }
  return std::move(checked.config);
}

tl::expected<Config, std::string> read_config(const std::string& path) {
  std::ifstream file(path);
  if (!file) return tl::unexpected(fmt::format("{}: {}", path, std::strerror(errno)));
  std::ostringstream text;
  text << file.rdbuf();
  return parse_config(text.str(), path);
}

}  // namespace braid::service
