// The keys that say how a link behaves, in [links.NAME] and in an event's `set`.
#pragma once

#include <array>
#include <filesystem>

#include "config/toml_reader.h"
#include "sim/link_config.h"

namespace braid::scenario {

/// What is not there keeps its value. `forward` and `backward` are tables that hold for one direction only.
/// `directory`: where trace files are looked for.
void read_link_behaviour(config::TomlTable& table, const std::filesystem::path& directory,
                         config::TomlErrors& errors, std::array<sim::LinkConfig, 2>& directions);

/// A queue for links that say nothing of theirs: what is under way in a round trip, ten packets at least.
void choose_queue(sim::LinkConfig& link);

}  // namespace braid::scenario
