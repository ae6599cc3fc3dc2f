// The control protocol's "why" and "events": what is known of connections' decisions (control.h).
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "host/host.h"
#include "service/connection_history.h"
#include "service/control_server.h"

namespace braid::service {

/// How an open connection stands, in sentences: what it moved, each path, and why there are no more of them.
/// `are_paths_due`: it has shown that it is worth further ones.
std::vector<std::string> standing_of(const mptcp::ConnectionInfo& info, const host::HostConfig& config,
                                     bool are_paths_due, Time now);
/// What is to be said of one that is over, beside its history.
std::vector<std::string> summary_of(const ConnectionHistory& history);

/// Whether a person who writes `name` means that one: its token, "LOCAL->REMOTE" (spaces do not matter), or
/// one end.
bool is_named(const ConnectionHistory& history, std::string_view name);

class HistoryCommands {
 public:
  /// Both outlive it.
  HistoryCommands(host::Host& host, ConnectionHistories& histories) : host_(host), histories_(histories) {}
  tl::expected<nlohmann::json, std::string> why(const nlohmann::json& request, Time now);
  tl::expected<nlohmann::json, std::string> events(const nlohmann::json& request,
                                                   Subscriptions& subscriptions, Time now);

 private:
  tl::expected<std::vector<const ConnectionHistory*>, std::string> choose(const nlohmann::json& request,
                                                                          Time now);
  nlohmann::json tell(const ConnectionHistory& history, Time now);

  host::Host& host_;
  ConnectionHistories& histories_;
};

}  // namespace braid::service
