// What a configuration says that is allowed and yet cannot be meant.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <initializer_list>

#include "service/config_check.h"

namespace braid::service {

namespace {

using config::TomlFinding;

/// Collects warnings, each at the key that it is about.
class Contradictions {
 public:
  Contradictions(const toml::table& root, const Config& config) : root_(root), config_(config) {}

  std::vector<TomlFinding> find() {
    connection();
    paths();
    timing();
    network();
    endpoints();
    files();
    std::ranges::sort(found_);
    return std::move(found_);
  }

 private:
  const toml::node* node(std::string_view table, std::string_view key) const {
    const toml::node* inside = root_.get(table);
    if (inside == nullptr || !inside->is_table()) return nullptr;
    return inside->as_table()->get(key);
  }
  bool has(std::string_view table, std::string_view key) const { return node(table, key) != nullptr; }
  /// At the key if it is there, else at the file's beginning.
  void warn(std::string_view table, std::string_view key, const std::string& text) {
    const toml::node* place = node(table, key);
    const toml::source_position where =
        place != nullptr ? place->source().begin : toml::source_position{1, 1};
    found_.push_back({where.line, where.column, fmt::format("[{}] {}: {}", table, key, text)});
  }
  void warn_of_each(std::string_view table, std::initializer_list<std::string_view> keys,
                    const std::string& text) {
    for (const std::string_view key : keys) {
      if (has(table, key)) warn(table, key, text);
    }
  }

  void connection();
  void paths();
  void timing();
  void network();
  void endpoints();
  void files();

  const toml::table& root_;
  const Config& config_;
  std::vector<TomlFinding> found_;
};

void Contradictions::connection() {
  const mptcp::ConnectionConfig& c = config_.host.connection;
  if (!c.is_multipath) {
    warn_of_each(
        "connection",
        {"checksum", "deny_join_initial", "scheduler", "paths", "strict_shares", "standby", "path_manager",
         "labels", "lowest_version", "highest_version", "syn_attempts_with_multipath", "path_keepalive"},
        "has no effect, since multipath = false");
  }
  if (c.scheduler != "weighted") {
    warn_of_each("connection", {"paths", "strict_shares", "standby"},
                 fmt::format("only the scheduler \"weighted\" heeds it, and it is \"{}\"", c.scheduler));
  }
  const toml::node* lowest = node("connection", "lowest_version");
  if (lowest != nullptr && lowest->value<int64_t>().value_or(0) > static_cast<int64_t>(c.highest_version)) {
    warn("connection", "lowest_version", "above highest_version, which is taken for both");
  }
  if (c.is_multipath && c.syn_attempts_with_multipath >= c.subflow.syn_attempts) {
    const bool is_there = has("connection", "syn_attempts_with_multipath");
    warn("connection", is_there ? "syn_attempts_with_multipath" : "syn_attempts",
         fmt::format(
             "all {} SYNs carry MP_CAPABLE: where a middlebox drops such SYNs, connections fail instead of "
             "becoming plain TCP",
             c.subflow.syn_attempts));
  }
}

void Contradictions::paths() {
  const mptcp::ConnectionConfig& c = config_.host.connection;
  const mptcp::PathLimits& limits = config_.host.paths.limits;
  if (c.path_manager == "label" && c.labels.empty()) {
    warn("connection", "path_manager", "\"label\" makes a path for each of labels, and there are none");
  }
  if (c.path_manager == "none") {
    warn_of_each("limits", {"subflows", "add_addr_accepted"}, "has no effect with path_manager = \"none\"");
    if (root_.contains("endpoint")) {
      warn("connection", "path_manager", "\"none\" does not use any [[endpoint]]");
    }
  }
  if (limits.subflows == 0 && c.is_multipath && c.path_manager != "none") {
    warn("limits", "subflows", "0: no connection gets a second path from this side");
  }
  if (limits.subflows + 1 > c.max_subflows &&
      (has("limits", "subflows") || has("connection", "max_subflows"))) {
    warn("limits", "subflows",
         fmt::format("{} beside the first are more than [connection] max_subflows = {} lets be",
                     limits.subflows, c.max_subflows));
  }
  const bool announces = config_.network.auto_endpoints ||
                         std::ranges::any_of(config_.host.paths.endpoints, &mptcp::PathEndpoint::is_signal);
  if (c.deny_join_initial && !announces) {
    warn("connection", "deny_join_initial",
         "and no address is announced: peers can open no further path at all");
  }
}

void Contradictions::timing() {
  const mptcp::ConnectionConfig& c = config_.host.connection;
  if (c.path_keepalive.count() == 0) {
    warn_of_each("connection", {"path_keepalive_interval", "path_keepalive_attempts"},
                 "has no effect, since path_keepalive = 0");
  } else if (c.path_keepalive_interval > c.path_keepalive) {
    warn("connection", "path_keepalive_interval", "longer than path_keepalive: a dead path is noticed late");
  }
  if (c.join_timeout.count() == 0)
    warn("connection", "join_timeout", "0: every further path is given up at once");
  if (c.subflow.delayed_ack >= 500ms) {
    warn("connection", "delayed_ack", "an ACK must not wait 500 ms or more (RFC 9293, 3.8.6.3)");
  }
}

void Contradictions::network() {
  const io::NetworkConfig& n = config_.network;
  if (!n.use_ipv4 && !n.use_ipv6) {
    warn("network", "ipv6", "both families are off: Braid has no address to use");
  }
  for (const std::string& name : n.interfaces) {
    if (std::ranges::count(n.excluded_interfaces, name) > 0) {
      warn("network", "excluded_interfaces",
           fmt::format("\"{}\" is in interfaces, too; it is not used", name));
    }
  }
  if (!n.addresses.empty()) {
    warn_of_each("network", {"interfaces", "excluded_interfaces", "auto_endpoints", "ports_per_instance"},
                 "has no effect with addresses of Braid's own");
  } else {
    warn_of_each("network", {"kernel_addresses", "mtu"}, "has no effect without addresses");
  }
  const int range = n.last_port - n.first_port + 1;
  if (n.ports_per_instance > range) {
    warn("network", "ports_per_instance",
         fmt::format("{} are more than the {} of ports: Braid will not start", n.ports_per_instance, range));
  }
  if (n.first_port < 1024) warn("network", "ports", "reaches below 1024, where services have their ports");
}

void Contradictions::endpoints() {
  const toml::node* array = root_.get("endpoint");
  if (array == nullptr || !array->is_array()) return;
  const std::vector<mptcp::PathEndpoint>& all = config_.host.paths.endpoints;
  for (size_t i = 0; i < all.size(); ++i) {
    const mptcp::PathEndpoint& e = all[i];
    const auto where = array->as_array()->get(i)->source().begin;
    const auto warn_here = [&](const std::string& text) {
      found_.push_back(
          {where.line, where.column, fmt::format("[[endpoint]] {}: {}", e.address.to_string(), text)});
    };
    for (size_t j = 0; j < i; ++j) {
      if (all[j].address == e.address && all[j].port == e.port)
        warn_here("stands here twice; the first one counts");
      if (e.id != 0 && all[j].id == e.id) warn_here(fmt::format("id {} is another's already", e.id));
    }
    if (!e.is_signal && !e.is_subflow && !e.is_fullmesh) {
      warn_here("neither \"signal\" nor \"subflow\" nor \"fullmesh\" is set: no path comes of it");
    }
    if (e.address.is_v4() ? !config_.network.use_ipv4 : !config_.network.use_ipv6) {
      warn_here(fmt::format("[network] ipv{} is false, so it is not used", e.address.is_v4() ? 4 : 6));
    }
  }
}

void Contradictions::files() {
  const auto check_directory = [&](std::string_view key, const std::string& path) {
    if (path.empty()) return;
    const std::string directory = std::filesystem::path(path).parent_path().string();
    if (!directory.empty() && access(directory.c_str(), F_OK) != 0) {
      warn("daemon", key, fmt::format("there is no directory {}", directory));
    }
  };
  check_directory("pcap", config_.capture_path);
  check_directory("events", config_.events_path);
}

}  // namespace

std::vector<TomlFinding> contradictions(const toml::table& root, const Config& config) {
  return Contradictions(root, config).find();
}

}  // namespace braid::service
