#include "service/control_commands.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "config/closest.h"
#include "mptcp/counters.h"
#include "mptcp/coupled/coupled.h"
#include "mptcp/scheduler/scheduler.h"
#include "service/config.h"
#include "service/path_commands.h"
#include "service/request_fields.h"
#include "service/uplink_report.h"
#include "tcp/subflow.h"

namespace braid::service {

namespace {

using nlohmann::json;

int64_t microseconds(Duration d) { return std::chrono::duration_cast<std::chrono::microseconds>(d).count(); }

json to_json(const mptcp::SubflowInfo& s) {
  json out = {{"index", s.index},
              {"local_id", s.local_id},
              {"remote_id", s.remote_id},
              {"local", s.tuple.local.to_string()},
              {"remote", s.tuple.remote.to_string()},
              {"state", std::string(tcp::to_string(s.state))},
              {"is_initial", s.is_initial},
              {"is_backup", s.is_backup},
              {"is_stalled", s.is_stalled},
              {"is_fully_established", s.is_fully_established},
              {"congestion_control", s.congestion_control},
              {"srtt_us", microseconds(s.srtt)},
              {"rttvar_us", microseconds(s.rttvar)},
              {"min_rtt_us", microseconds(s.min_rtt)},
              {"rto_us", microseconds(s.rto)},
              {"cwnd_bytes", s.cwnd_bytes},
              {"ssthresh_bytes", s.ssthresh_bytes},
              {"in_flight_bytes", s.in_flight_bytes},
              {"send_window_bytes", s.send_window_bytes},
              {"data_sent_bytes", s.data_sent_bytes},
              {"data_received_bytes", s.data_received_bytes},
              {"retransmitted_bytes", s.retransmitted_bytes},
              {"retransmissions", s.retransmissions},
              {"timeouts", s.timeouts},
              {"reinjected_bytes", s.reinjected_bytes},
              {"mss", s.mss}};
  if (s.label) out["label"] = *s.label;
  return out;
}

json to_json(const mptcp::ConnectionInfo& c, Time now) {
  json subflows = json::array();
  for (const mptcp::SubflowInfo& subflow : c.subflows) subflows.push_back(to_json(subflow));
  return {{"local", c.local.to_string()},
          {"remote", c.remote.to_string()},
          {"state", c.state},
          {"multipath", std::string(mptcp::to_string(c.multipath))},
          {"fallback", std::string(mptcp::to_string(c.fallback))},
          {"fallback_packet", c.fallback_packet},
          {"version", static_cast<int>(c.version)},
          {"is_server", c.is_server},
          {"is_checksummed", c.is_checksummed},
          {"syn_data_bytes", c.syn_data_bytes},
          {"local_token", c.local_token},
          {"remote_token", c.remote_token},
          {"scheduler", c.scheduler},
          {"congestion_control", c.congestion_control},
          {"path_manager", c.path_manager},
          {"sent_bytes", c.sent_bytes},
          {"acked_bytes", c.acked_bytes},
          {"received_bytes", c.received_bytes},
          {"reinjected_bytes", c.reinjected_bytes},
          {"retransmitted_bytes", c.retransmitted_bytes},
          {"send_queue_bytes", c.send_queue_bytes},
          {"receive_queue_bytes", c.receive_queue_bytes},
          {"out_of_order_bytes", c.out_of_order_bytes},
          {"send_buffer_bytes", c.send_buffer_bytes},
          {"receive_buffer_bytes", c.receive_buffer_bytes},
          {"age_us", microseconds(now - c.opened)},
          {"subflows", std::move(subflows)}};
}

json to_json(const mptcp::PathEndpoint& e) {
  json flags = json::array();
  if (e.is_signal) flags.push_back("signal");
  if (e.is_subflow) flags.push_back("subflow");
  if (e.is_backup) flags.push_back("backup");
  if (e.is_fullmesh) flags.push_back("fullmesh");
  return {{"id", e.id},
          {"address", e.address.to_string()},
          {"port", e.port},
          {"interface", e.interface},
          {"flags", std::move(flags)}};
}

tl::expected<void, std::string> read_flags(const json& request, mptcp::PathEndpoint& endpoint) {
  const auto found = request.find("flags");
  if (found == request.end()) return {};
  if (!found->is_array()) return tl::unexpected(std::string("\"flags\" must be an array"));
  for (const json& flag : *found) {
    if (!flag.is_string() || !set_endpoint_flag(endpoint, flag.get<std::string>())) {
      return tl::unexpected(fmt::format("no flag {}: signal, subflow, backup, fullmesh", flag.dump()));
    }
  }
  const std::string_view wrong = contradiction_in(endpoint);
  if (!wrong.empty()) return tl::unexpected(std::string(wrong));
  return {};
}

std::string describe(host::Error error) {
  if (error == host::Error::kAddressInUse) return "there is such an endpoint already";
  if (error == host::Error::kInvalidArgument) return "no such endpoint, or one that makes no sense";
  return std::string(host::to_string(error));
}

}  // namespace

ControlCommands::ControlCommands(io::LiveHost& live, io::Network& network, const SocketService& sockets,
                                 ConnectionHistories& histories, std::function<void()> stop)
    : live_(live),
      network_(network),
      sockets_(sockets),
      history_(live.host(), histories),
      stop_(std::move(stop)),
      started_(live.now()) {}

ControlCommands::Result ControlCommands::run(const json& request, Subscriptions& subscriptions) {
  const std::string command = request["command"].get<std::string>();
  if (command == "status") return status();
  if (command == "ss") return ss();
  if (command == "counters") return counters();
  if (command == "uplinks") return report_uplinks(network_);
  if (command == "endpoint") return endpoint(request);
  if (command == "limits") return limits(request);
  if (command == "set") return set(request);
  if (command == "pm") return pm(request, subscriptions);
  if (command == "why") return history_.why(request, live_.now());
  if (command == "events") return history_.events(request, subscriptions, live_.now());
  if (command == "stop") {
    stop_();
    return json::object();
  }
  const std::string_view meant = config::closest(command, {"status", "ss", "counters", "uplinks", "endpoint",
                                                           "limits", "set", "pm", "why", "events", "stop"});
  return tl::unexpected(
      meant.empty() ? fmt::format("there is no command \"{}\"", command)
                    : fmt::format("there is no command \"{}\"; did you mean \"{}\"?", command, meant));
}

// By its number: tells `braid run` whether this daemon is of the caller's network.
static uint64_t network_namespace() {
  struct stat status {};
  return stat("/proc/self/ns/net", &status) == 0 ? status.st_ino : 0;
}

json ControlCommands::status() const {
  json devices = json::array();
  for (const auto& device : live_.devices()) {
    const io::DeviceCounters& c = device->counters();
    devices.push_back({{"name", device->name()},
                       {"received_packets", c.received_packets},
                       {"received_bytes", c.received_bytes},
                       {"sent_packets", c.sent_packets},
                       {"sent_bytes", c.sent_bytes},
                       {"send_drops", c.send_drops},
                       {"receive_errors", c.receive_errors}});
  }
  return {{"version", BRAID_VERSION},
          {"pid", getpid()},
          {"network_namespace", network_namespace()},
          {"uptime_us", microseconds(live_.now() - started_)},
          {"sockets", sockets_.socket_count()},
          {"connections", live_.host().connection_count()},
          {"listeners", live_.host().listeners().size()},
          {"device", network_.device_name()},
          {"devices", std::move(devices)}};
}

json ControlCommands::ss() const {
  json connections = json::array();
  for (const auto& entry : live_.host().connections()) {
    json connection = to_json(entry.info, live_.now());
    if (const auto owner = sockets_.owner_of(entry.id)) {
      connection["owner"] = {{"pid", owner->pid}, {"uid", owner->uid}};
    }
    connections.push_back(std::move(connection));
  }
  json listeners = json::array();
  for (const auto& entry : live_.host().listeners()) {
    listeners.push_back(
        {{"local", entry.local.to_string()}, {"backlog", entry.backlog}, {"waiting", entry.waiting}});
  }
  return {{"connections", std::move(connections)}, {"listeners", std::move(listeners)}};
}

ControlCommands::Result ControlCommands::pm(const json& request, Subscriptions& subscriptions) {
  if (const auto action = request.find("action"); action != request.end() && *action == "subscribe") {
    subscriptions.add(Feed::kPaths);
    return json{{"connections", ss()["connections"]}};
  }
  return run_path_command(live_.host(), request, live_.now());
}

json ControlCommands::counters() const {
  json out = json::object();
  const mptcp::Counters& counters = live_.host().counters();
  for (size_t i = 0; i < mptcp::kCounterCount; ++i) {
    const auto counter = static_cast<mptcp::Counter>(i);
    out[std::string(mptcp::name_of(counter))] = counters[counter];
  }
  return out;
}

ControlCommands::Result ControlCommands::endpoint(const json& request) {
  const std::string action = request.value("action", std::string("show"));
  if (action == "show") {
    json out = json::array();
    for (const mptcp::PathEndpoint& e : live_.host().path_config().endpoints) out.push_back(to_json(e));
    return out;
  }
  if (action == "add") return add_endpoint(request);
  if (action == "change") return change_endpoint(request);
  if (action != "delete") return tl::unexpected(fmt::format("endpoint: no action \"{}\"", action));
  const auto id = number(request, "id", 0, 1, 255);
  if (!id) return tl::unexpected(id.error());
  if (*id == 0) return tl::unexpected(std::string("endpoint delete: which \"id\"?"));
  const host::Error error = live_.host().remove_endpoint(static_cast<uint8_t>(*id), live_.now());
  if (error != host::Error::kNone)
    return tl::unexpected(fmt::format("endpoint {}: {}", *id, describe(error)));
  network_.on_endpoints_changed();
  return json::object();
}

ControlCommands::Result ControlCommands::add_endpoint(const json& request) {
  mptcp::PathEndpoint endpoint;
  const auto address = wire::IpAddress::parse(request.value("address", std::string()));
  if (!address)
    return tl::unexpected(std::string("endpoint add: \"address\" must be an IPv4 or IPv6 address"));
  const auto port = number(request, "port", 0, 1, 65535);
  if (!port) return tl::unexpected(port.error());
  const auto id = number(request, "id", 0, 1, 255);
  if (!id) return tl::unexpected(id.error());
  endpoint.address = *address;
  endpoint.port = static_cast<uint16_t>(*port);
  endpoint.id = static_cast<uint8_t>(*id);
  endpoint.interface = request.value("interface", std::string());
  if (const auto flags = read_flags(request, endpoint); !flags) return tl::unexpected(flags.error());
  const auto added = live_.host().add_endpoint(endpoint, live_.now());
  if (!added) {
    return tl::unexpected(
        fmt::format("endpoint {}: {}", endpoint.address.to_string(), describe(added.error())));
  }
  if (endpoint.port != 0) {
    if (const int error = network_.on_endpoints_changed(); error != 0) {
      live_.host().remove_endpoint(*added, live_.now());
      return tl::unexpected(fmt::format("endpoint {} port {}: {}", endpoint.address.to_string(),
                                        endpoint.port, strerror(error)));
    }
  }
  return json{{"id", *added}};
}

ControlCommands::Result ControlCommands::change_endpoint(const json& request) {
  const auto id = number(request, "id", 0, 1, 255);
  if (!id) return tl::unexpected(id.error());
  mptcp::PathEndpoint wanted;
  if (const auto flags = read_flags(request, wanted); !flags) return tl::unexpected(flags.error());
  const host::Error error = live_.host().change_endpoint(static_cast<uint8_t>(*id), wanted.is_backup,
                                                         wanted.is_fullmesh, live_.now());
  if (error != host::Error::kNone)
    return tl::unexpected(fmt::format("endpoint {}: {}", *id, describe(error)));
  return json::object();
}

ControlCommands::Result ControlCommands::limits(const json& request) {
  mptcp::PathLimits limits = live_.host().path_config().limits;
  if (request.value("action", std::string("show")) == "set") {
    const auto subflows = number(request, "subflows", limits.subflows, 0, 64);
    if (!subflows) return tl::unexpected(subflows.error());
    const auto accepted = number(request, "add_addr_accepted", limits.add_addr_accepted, 0, 64);
    if (!accepted) return tl::unexpected(accepted.error());
    limits.subflows = static_cast<uint8_t>(*subflows);
    limits.add_addr_accepted = static_cast<uint8_t>(*accepted);
    live_.host().set_limits(limits);
  }
  return json{{"subflows", limits.subflows}, {"add_addr_accepted", limits.add_addr_accepted}};
}

namespace {

/// "all", the token that `braid ss` shows, or either end.
bool is_meant(const std::string& name, const mptcp::ConnectionInfo& info) {
  return name == "all" || name == info.local.to_string() || name == info.remote.to_string() ||
         (info.local_token != 0 && name == fmt::format("{:08x}", info.local_token));
}

tl::expected<std::string, std::string> name_of_one(const json& request, const char* key,
                                                   const std::vector<std::string>& names) {
  const auto found = request.find(key);
  if (found == request.end()) return std::string();
  if (!found->is_string()) return tl::unexpected(fmt::format("\"{}\" must be a name", key));
  const std::string name = found->get<std::string>();
  if (std::ranges::count(names, name) > 0) return name;
  std::string all;
  for (const std::string& one : names) all += (all.empty() ? "" : ", ") + one;
  return tl::unexpected(fmt::format("there is no {} \"{}\": {}", key, name, all));
}

}  // namespace

ControlCommands::Result ControlCommands::set(const json& request) {
  const auto which = request.find("connection");
  if (which == request.end() || !which->is_string())
    return tl::unexpected(std::string(
        "set: which \"connection\"? A token, an end as `braid ss` shows it, \"all\" that are open, "
        "or \"default\" for those to come"));
  const auto scheduler = name_of_one(request, "scheduler", mptcp::scheduler_names());
  if (!scheduler) return tl::unexpected(scheduler.error());
  const auto control = name_of_one(request, "congestion_control", mptcp::all_congestion_control_names());
  if (!control) return tl::unexpected(control.error());
  if (*which == "default") {
    mptcp::ConnectionConfig config = live_.host().config().connection;
    if (!scheduler->empty()) config.scheduler = *scheduler;
    if (!control->empty()) config.congestion_control = *control;
    live_.host().set_connection_config(config);
    return json{{"changed", 0}};
  }
  size_t changed = 0;
  for (const auto& entry : live_.host().connections()) {
    if (!is_meant(which->get<std::string>(), entry.info)) continue;
    mptcp::Connection* connection = live_.host().find(entry.id);
    if (connection == nullptr) continue;
    if (!scheduler->empty()) connection->set_scheduler(*scheduler, live_.now());
    if (!control->empty()) connection->set_congestion_control(*control, live_.now());
    ++changed;
  }
  if (changed == 0 && *which != "all")
    return tl::unexpected(fmt::format("there is no connection \"{}\"", which->get<std::string>()));
  return json{{"changed", changed}};
}

}  // namespace braid::service
