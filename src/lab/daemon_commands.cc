#include "lab/daemon_commands.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "service/control.h"

namespace braid::lab {

using nlohmann::json;
using Failure = tl::unexpected<std::string>;

tl::expected<void, std::string> change_policy(const std::string& socket_path,
                                              const scenario::EventSpec& event) {
  auto client = service::ControlClient::connect(socket_path);
  if (!client) return Failure(client.error());
  json request = {{"command", "set"}, {"connection", "all"}};
  if (!event.scheduler.empty()) request["scheduler"] = event.scheduler;
  if (!event.congestion_control.empty()) request["congestion_control"] = event.congestion_control;
  if (const auto changed = client->call(request); !changed) return Failure(changed.error());
  return {};
}

tl::expected<void, std::string> change_endpoint(const std::string& socket_path, const std::string& address,
                                                bool is_backup) {
  auto client = service::ControlClient::connect(socket_path);
  if (!client) return Failure(client.error());
  const auto shown = client->call({{"command", "endpoint"}, {"action", "show"}});
  if (!shown) return Failure(shown.error());
  for (const json& endpoint : *shown) {
    if (endpoint.value("address", "") != address) continue;
    std::vector<std::string> flags = endpoint.value("flags", std::vector<std::string>());
    std::erase(flags, "backup");
    if (is_backup) flags.push_back("backup");
    const auto changed = client->call(
        {{"command", "endpoint"}, {"action", "change"}, {"id", endpoint.value("id", 0)}, {"flags", flags}});
    if (!changed) return Failure(changed.error());
  }
  return {};
}

}  // namespace braid::lab
