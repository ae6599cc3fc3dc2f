// [topology]: hosts, routers and links by a rule instead of one by one.
#pragma once

#include <filesystem>

#include "config/toml_reader.h"
#include "scenario/scenario.h"

namespace braid::scenario {

/// Adds to the scenario what the table describes; docs/scenarios.md has the kinds. The link keys in it (rate,
/// delay, queue ...) hold for all links that matter.
void add_topology(config::TomlTable& table, const std::filesystem::path& directory,
                  config::TomlErrors& errors, Scenario& scenario);

}  // namespace braid::scenario
