#include "segments/language/settings.h"

#include <functional>
#include <map>

#include "segments/language/script_error.h"
#include "segments/language/words.h"

namespace braid::segments {

namespace {

bool to_switch(const std::string& value) {
  if (value != "on" && value != "off") throw ScriptError("on or off, not " + value);
  return value == "on";
}

using Config = mptcp::ConnectionConfig;
using Setter = std::function<void(Config&, const std::string&)>;

template <class T>
Setter number(T Config::*member) {
  return [member](Config& config, const std::string& value) {
    config.*member = static_cast<T>(to_unsigned(value));
  };
}
Setter version(mptcp::Version Config::*member) {
  return [member](Config& config, const std::string& value) {
    if (value != "0" && value != "1") throw ScriptError("version 0 or 1, not " + value);
    config.*member = value == "0" ? mptcp::Version::kV0 : mptcp::Version::kV1;
  };
}
Setter flag(bool Config::*member) {
  return [member](Config& config, const std::string& value) { config.*member = to_switch(value); };
}
Setter time(Duration Config::*member) {
  return [member](Config& config, const std::string& value) { config.*member = to_duration(value); };
}
Setter text(std::string Config::*member) {
  return [member](Config& config, const std::string& value) { config.*member = value; };
}
template <class T>
Setter tcp_number(T tcp::SubflowConfig::*member) {
  return [member](Config& config, const std::string& value) {
    config.subflow.*member = static_cast<T>(to_unsigned(value));
  };
}
Setter tcp_time(Duration tcp::SubflowConfig::*member) {
  return [member](Config& config, const std::string& value) { config.subflow.*member = to_duration(value); };
}
Setter tcp_flag(bool tcp::SubflowConfig::*member) {
  return [member](Config& config, const std::string& value) { config.subflow.*member = to_switch(value); };
}
Setter rto(Duration tcp::RtoLimits::*member) {
  return
      [member](Config& config, const std::string& value) { config.subflow.rto.*member = to_duration(value); };
}

const std::map<std::string, Setter>& setters() {
  using Tcp = tcp::SubflowConfig;
  static const std::map<std::string, Setter> table = {
      {"mptcp", flag(&Config::is_multipath)},
      {"checksum", flag(&Config::require_checksum)},
      {"lowest-version", version(&Config::lowest_version)},
      {"highest-version", version(&Config::highest_version)},
      {"fastclose",
       [](Config& config, const std::string& value) {
         if (value != "ack" && value != "rst") throw ScriptError("ack or rst, not " + value);
         config.fastclose = value == "ack" ? mptcp::FastcloseForm::kAck : mptcp::FastcloseForm::kRst;
       }},
      {"fast-open",
       [](Config& config, const std::string& value) {
         if (value != "off" && value != "client" && value != "server" && value != "both")
           throw ScriptError("off, client, server or both, not " + value);
         config.fast_open.as_client = value == "client" || value == "both";
         config.fast_open.as_server = value == "server" || value == "both";
       }},
      {"fast-open-waits",
       [](Config& config, const std::string& value) { config.fast_open.waits_for_data = to_switch(value); }},
      {"fast-open-cookie",
       [](Config& config, const std::string& value) { config.fast_open.needs_cookie = to_switch(value); }},
      {"fast-open-most-pending",
       [](Config& config, const std::string& value) {
         config.fast_open.most_pending = static_cast<uint32_t>(to_unsigned(value));
       }},
      {"scheduler", text(&Config::scheduler)},
      {"congestion-control", text(&Config::congestion_control)},
      {"path-manager", text(&Config::path_manager)},
      {"send-buffer", number(&Config::send_buffer_bytes)},
      {"receive-buffer",
       [](Config& config, const std::string& value) {
         config.receive_buffer_bytes = config.initial_receive_buffer_bytes = to_unsigned(value);
       }},
      {"autotune", flag(&Config::autotune)},
      {"nodelay", flag(&Config::no_delay)},
      {"syn-attempts-with-multipath", number(&Config::syn_attempts_with_multipath)},
      {"max-subflows", number(&Config::max_subflows)},
      {"join-timeout", time(&Config::join_timeout)},
      {"add-addr-interval", time(&Config::add_addr_interval)},
      {"add-addr-attempts", number(&Config::add_addr_attempts)},
      {"survive-without-subflows", time(&Config::survive_without_subflows)},
      {"linger", time(&Config::linger)},
      {"opportunistic-retransmission", flag(&Config::opportunistic_retransmission)},
      {"penalise", flag(&Config::penalise)},
      {"window-scale", tcp_number(&Tcp::window_scale)},
      {"timestamps", tcp_flag(&Tcp::use_timestamps)},
      {"sack", tcp_flag(&Tcp::use_sack)},
      {"rto-initial", rto(&tcp::RtoLimits::initial)},
      {"rto-min", rto(&tcp::RtoLimits::min)},
      {"rto-max", rto(&tcp::RtoLimits::max)},
      {"traffic-class", tcp_number(&Tcp::traffic_class)},
      {"hop-limit", tcp_number(&Tcp::hop_limit)},
      {"delayed-ack", tcp_time(&Tcp::delayed_ack)},
      {"syn-attempts", tcp_number(&Tcp::syn_attempts)},
      {"syn-ack-attempts", tcp_number(&Tcp::syn_ack_attempts)},
      {"retransmission-attempts", tcp_number(&Tcp::retransmission_attempts)},
      {"time-wait", tcp_time(&Tcp::time_wait)},
      {"fin-wait-2", tcp_time(&Tcp::fin_wait_2)},
      {"keepalive-idle",
       [](Config& config, const std::string& value) { config.subflow.keepalive_idle = to_duration(value); }},
      {"keepalive-interval", tcp_time(&Tcp::keepalive_interval)},
      {"keepalive-attempts", tcp_number(&Tcp::keepalive_attempts)},
      {"user-timeout", tcp_time(&Tcp::user_timeout)},
      {"challenge-acks-per-second", tcp_number(&Tcp::challenge_acks_per_second)},
  };
  return table;
}

void read_setting(const Line& line, Settings& settings, std::vector<std::string>& endpoints) {
  if (line.verb == "endpoint") {
    endpoints.push_back(line.rest);
    return;
  }
  Words words(split_words(line.rest));
  const std::string value = words.take();
  if (line.verb == "family") {
    settings.peer.family = value == "6" ? wire::Family::kV6 : wire::Family::kV4;
  } else if (line.verb == "paths") {
    settings.paths = static_cast<int>(to_number(value));
  } else if (line.verb == "mtu") {
    settings.mtu = static_cast<uint32_t>(to_number(value));
  } else if (line.verb == "peer-isn") {
    settings.peer.isn = static_cast<uint32_t>(to_unsigned(value));
  } else if (line.verb == "peer-key") {
    settings.peer.key = to_unsigned(value);
  } else if (line.verb == "local-key") {
    settings.local_key = to_unsigned(value);
  } else if (line.verb == "tolerance") {
    settings.tolerance = to_duration(value);
  } else if (line.verb == "limits") {  // limits subflows 2 add-addr 3
    settings.host.paths.limits.subflows = static_cast<uint8_t>(to_number(words.take()));
    if (words.take_if("add-addr"))
      settings.host.paths.limits.add_addr_accepted = static_cast<uint8_t>(to_number(words.take()));
  } else if (!set_connection_option(settings.host.connection, line.verb, value)) {
    throw ScriptError("no setting has that name");
  }
  words.expect_end();
}

}  // namespace

bool set_connection_option(Config& config, const std::string& name, const std::string& value) {
  const auto found = setters().find(name);
  if (found == setters().end()) return false;
  found->second(config, value);
  return true;
}

mptcp::PathEndpoint parse_endpoint(const std::string& text, const Peer& peer) {
  Words words(split_words(text));
  mptcp::PathEndpoint endpoint;
  const std::string where = words.take();
  endpoint.address = is_number(where) ? peer.our_address(static_cast<int>(to_number(where)))
                                      : wire::IpAddress::parse(where).value_or(wire::IpAddress());
  while (!words.is_empty()) {
    if (words.take_if("subflow")) {
      endpoint.is_subflow = true;
    } else if (words.take_if("signal")) {
      endpoint.is_signal = true;
    } else if (words.take_if("backup")) {
      endpoint.is_backup = true;
    } else if (words.take_if("fullmesh")) {
      endpoint.is_fullmesh = true;
    } else if (words.take_if("id")) {
      endpoint.id = static_cast<uint8_t>(to_number(words.take()));
    } else if (words.take_if("port")) {
      endpoint.port = static_cast<uint16_t>(to_number(words.take()));
    } else {
      throw ScriptError("not understood: " + words.peek());
    }
  }
  return endpoint;
}

Settings read_settings(const Script& script) {
  Settings settings;
  std::vector<std::string> endpoints;
  for (const Line& line : script.settings) {
    try {
      read_setting(line, settings, endpoints);
    } catch (const ScriptError& error) {
      throw ScriptError(script.file + ":" + std::to_string(line.number) + ": " + line.text + "\n    " +
                        error.what());
    }
  }
  const Peer peer(settings.peer);
  for (const std::string& text : endpoints)
    settings.host.paths.endpoints.push_back(parse_endpoint(text, peer));
  return settings;
}

}  // namespace braid::segments
