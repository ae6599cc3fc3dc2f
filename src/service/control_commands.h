// What the control protocol's commands do.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <tl/expected.hpp>

#include "io/live_host.h"
#include "io/network.h"
#include "service/control_server.h"
#include "service/history_commands.h"
#include "service/socket_service.h"

namespace braid::service {

class ControlCommands {
 public:
  ControlCommands(io::LiveHost& live, io::Network& network, const SocketService& sockets,
                  ConnectionHistories& histories, std::function<void()> stop);

  tl::expected<nlohmann::json, std::string> run(const nlohmann::json& request, Subscriptions& subscriptions);

 private:
  using Result = tl::expected<nlohmann::json, std::string>;
  nlohmann::json status() const;
  nlohmann::json ss() const;
  nlohmann::json counters() const;
  Result endpoint(const nlohmann::json& request);
  Result add_endpoint(const nlohmann::json& request);
  Result change_endpoint(const nlohmann::json& request);
  Result limits(const nlohmann::json& request);
  Result set(const nlohmann::json& request);
  Result pm(const nlohmann::json& request, Subscriptions& subscriptions);

  io::LiveHost& live_;
  io::Network& network_;
  const SocketService& sockets_;
  HistoryCommands history_;
  std::function<void()> stop_;
  Time started_;
};

}  // namespace braid::service
