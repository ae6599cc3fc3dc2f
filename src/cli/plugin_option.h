// `--plugin FILE`: schedulers and congestion controls from a shared object (docs/extending.md).
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace braid::cli {

/// For a subcommand whose schedulers or congestion controls may be a plug-in's.
CLI::Option* add_plugin_option(CLI::App& command, std::vector<std::string>& files);

/// Loads those that the words name, before they are parsed: what follows from other words depends on them.
/// The error is ready for people.
tl::expected<void, std::string> load_plugins(const std::vector<std::string>& words);

/// One of the names that `names` gives when the option is read, plug-ins' included.
CLI::Validator is_one_of(std::vector<std::string> (*names)());

}  // namespace braid::cli
