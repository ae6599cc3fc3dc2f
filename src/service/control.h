// The control protocol: how `braid ss`, `counters`, `endpoint`, `limits` and `pm` talk to a running daemon.
//
// A stream Unix socket. One request a line, one answer a line, both JSON objects (RFC 8259), any number of
// them on one connection, answered in order. A request is {"command": NAME, ...}; an answer is
// {"ok": true, "result": ...} or {"ok": false, "error": TEXT}.
//
//   {"command": "status"}    {"version", "pid", "uptime_us", "sockets", "connections", "listeners", "device",
//                             "devices": [{"name", and the fields of io::DeviceCounters}]}
//   {"command": "ss"}        {"connections": [...], "listeners": [...]}: the fields of mptcp::ConnectionInfo,
//                             mptcp::SubflowInfo and host::Host::ListenerEntry by their names, durations as
//                             *_us, endpoints as text; "owner" is {"pid", "uid"} of the program
//   {"command": "counters"}  {NAME: value, ...}, MIB names
//   {"command": "uplinks"}   {"up": true, "pid", "device", "uplinks": [{"name", "kind", "up", "mtu",
//                             "addresses": [{"address": "192.0.2.1/24", "preferred", "endpoint": its ID or
//                             0}], "default_routes": [{"family", "gateway"?, "source": "main", "table N",
//                             "configured" or "assumed"}]}], "unused": [{"name", "reason"}],
//                             "firewall_chains": ["ip filter FORWARD"], "warnings": [TEXT]}
//   {"command": "endpoint", "action": "show"}      [{"id", "address", "port", "interface", "flags": [...]}]
//   {"command": "endpoint", "action": "add", "address", "port"?, "id"?, "interface"?, "flags"?}  {"id"}
//   {"command": "endpoint", "action": "delete", "id"}                                            {}
//   {"command": "endpoint", "action": "change", "id", "flags" (all of them)}                     {}
//   {"command": "limits", "action": "show"}        {"subflows", "add_addr_accepted"}
//   {"command": "limits", "action": "set", "subflows"?, "add_addr_accepted"?}                    the same
//   {"command": "set", "connection", "scheduler"?, "congestion_control"?}    {"changed"}: how many;
//                             "connection": a local token (hexadecimal), a local or remote end, "all" that
//                             are open, or "default": what is opened from now on
//   {"command": "pm", "action": "subscribe"}       {"connections": [...]}, as "ss" has them. From then on
//   events
//                             come on this connection, one a line, between answers: {"event": NAME, ...}
//   {"command": "pm", "action": "announce", "token", "address", "port"?, "id"?}          {"id"}
//   {"command": "pm", "action": "remove", "token", "id"}                                 {}
//   {"command": "pm", "action": "open", "token", "local"?, "local_port"?, "remote"?, "remote_port"?,
//                     "remote_id"?, "backup"?, "label"?}                                 {"subflow"}
//   {"command": "pm", "action": "close", "token", "subflow"}                             {}
//   {"command": "pm", "action": "set", "token", "subflow", "backup"}                     {}
//                             "token": ours, as a number or eight hexadecimal digits; docs/path-managers.md
//   {"command": "why"}       {"connections": [...]}: those whose decisions are known, oldest first: "token",
//                             "local", "remote", "state" (opening, open, closed, failed), "is_server",
//                             "is_multipath", "begun_s", "over_s", "begun_unix_s", "sent_bytes",
//                             "received_bytes", "decisions"; with "failed": true only those that failed
//   {"command": "why", "connection", "failed"?}    {"connection": {...}, "history": [{"after_s", "count",
//                             "last_after_s", "text", and the members of the event log}], "left_out",
//                             "now": [sentences]}; "connection": a token, "LOCAL->REMOTE", an end, or "last"
//   {"command": "events", "action": "show", "last"?, "connection"?}    {"events": [...]}: the latest, as the
//                             event log has them, with "text"
//   {"command": "events", "action": "follow", ...}    the same; those that happen from then on follow
//   {"command": "stop"}      {}: the daemon ends
#pragma once

#include <deque>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace braid::service {

inline constexpr std::string_view kDefaultSocketPath = "/run/braid/braid.sock";
/// The environment variable that names the control socket.
inline constexpr const char* kSocketVariable = "BRAID_SOCKET";

/// $BRAID_SOCKET, else kDefaultSocketPath.
std::string control_socket_path();

/// A connection to a daemon. Blocking; for command-line tools.
class ControlClient {
 public:
  /// The error says what to do about it ("no daemon at PATH: ...").
  static tl::expected<ControlClient, std::string> connect(const std::string& path);
  ControlClient(ControlClient&& other) noexcept;
  ControlClient& operator=(ControlClient&& other) noexcept;
  ~ControlClient();

  /// Sends the request and waits for its answer: what "result" holds, or what "error" says.
  tl::expected<nlohmann::json, std::string> call(const nlohmann::json& request);
  /// After a "pm" "subscribe" or an "events" "follow": waits for the next event.
  tl::expected<nlohmann::json, std::string> next_event();
  /// The events that came before the last answer; does not wait.
  std::deque<nlohmann::json> take_events();

 private:
  explicit ControlClient(int fd) : fd_(fd) {}
  tl::expected<nlohmann::json, std::string> next_line();
  int fd_ = -1;
  std::string received_;
  std::deque<nlohmann::json> events_;  // that came before an answer
};

}  // namespace braid::service
