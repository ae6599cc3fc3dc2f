// The configuration file: TOML, every key in docs/configuration.md. Errors say where and what was expected.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "host/host.h"
#include "io/network.h"
#include "service/connection_history.h"
#include "service/listen_spec.h"
#include "service/metrics_page.h"
#include "service/policy.h"

namespace braid::service {

/// How applications' sockets behave: [sockets].
struct SocketSettings {
  /// Destinations that Braid has no route to go through the kernel's TCP (loopback always does).
  bool kernel_fallback = true;
  /// Of the Unix sockets between a program and the daemon.
  uint32_t stream_buffer_bytes = 1u << 20;
};

struct Config {
  /// Every path is used unless the file says otherwise, once it is worth it; the engine's own limits are the
  /// kernel's.
  Config() {
    host.paths.limits = {.subflows = 8, .add_addr_accepted = 8};
    host.connection.open_paths = mptcp::OpenPaths::when_worth_it();
    // What programs may ask for by their sockets' options; unasked there is none of it.
    host.connection.fast_open = {.as_client = true, .as_server = true};
  }

  host::HostConfig host;             // [connection], [limits], [[endpoint]]
  io::NetworkConfig network;         // [network]
  SocketSettings sockets;            // [sockets]
  HistoryLimits history;             // [history]
  MetricsSettings metrics;           // [metrics]
  std::string socket_path;           // [daemon] socket; empty: $BRAID_SOCKET or the default
  std::string capture_path;          // [daemon] pcap: a pcap file; empty: none
  std::string log_level = "info";    // [daemon] log_level
  std::vector<std::string> plugins;  // [daemon] plugins: loaded when the file is read
  Policy policy;                     // [[rule]]: which programs and connections are Braid's
  std::vector<ListenSpec> listens;   // [[listen]]: ports carried to services on the kernel's TCP
  std::string events_path;  // [daemon] events: what connections decide and why, JSON lines; empty: none
  std::string group;        // [daemon] group: whose members may ask the daemon; empty: its own user alone
  /// What the file says that is allowed and yet can't be meant, "PATH:LINE:COLUMN: TEXT": see config_check.h.
  std::vector<std::string> warnings;
};

/// The file at `path`. The error is ready for people: "PATH:LINE:COLUMN: what is wrong".
tl::expected<Config, std::string> read_config(const std::string& path);
/// The same from text; `name` stands for the path.
tl::expected<Config, std::string> parse_config(std::string_view text, std::string_view name);

/// "eth1=192.0.2.254": an uplink and its router.
std::optional<std::pair<std::string, wire::IpAddress>> parse_gateway(std::string_view text);
/// The default first.
const std::vector<std::string>& firewall_words();
std::optional<io::FirewallMode> parse_firewall(std::string_view word);

/// "signal", "subflow", "backup", "fullmesh". False: no such flag.
bool set_endpoint_flag(mptcp::PathEndpoint& endpoint, std::string_view flag);
const std::vector<std::string_view>& endpoint_flag_names();
/// What is wrong with the endpoint's combination of flags and port; empty if nothing is.
std::string_view contradiction_in(const mptcp::PathEndpoint& endpoint);

}  // namespace braid::service
