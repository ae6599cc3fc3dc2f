// One request to the running daemon, for the subcommands that ask it something.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

namespace braid::cli {

/// The result. Nothing: the reason was printed.
std::optional<nlohmann::json> call_daemon(const nlohmann::json& request);

}  // namespace braid::cli
