#include "cli/control_call.h"

#include <fmt/format.h>

#include "service/control.h"

namespace braid::cli {

void add_socket_option(CLI::App& command, std::string& path) {
  command
      .add_option(
          "--socket", path,
          fmt::format("Control socket [${}, else {}]", service::kSocketVariable, service::kDefaultSocketPath))
      ->type_name("PATH");
}

std::optional<nlohmann::json> call_daemon(const nlohmann::json& request) {
  auto client = service::ControlClient::connect(service::control_socket_path());
  if (!client) {
    fmt::print(stderr, "braid: {}\n", client.error());
    return {};
  }
  auto result = client->call(request);
  if (!result) {
    fmt::print(stderr, "braid: {}\n", result.error());
    return {};
  }
  return std::move(*result);
}

}  // namespace braid::cli
