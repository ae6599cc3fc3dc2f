// How subcommands reach the running daemon: its socket, and one request to it.
#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace braid::cli {

/// `--socket PATH`, for those that start or end one.
void add_socket_option(CLI::App& command, std::string& path);

/// The result. Nothing: the reason was printed.
std::optional<nlohmann::json> call_daemon(const nlohmann::json& request);

}  // namespace braid::cli
