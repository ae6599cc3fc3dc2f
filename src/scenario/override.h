// A value other than the file's: --set, and --vary of `braid sweep`.
#pragma once

#include <toml++/toml.h>
#include <optional>
#include <string>
#include <vector>

#include "scenario/scenario.h"

namespace braid::scenario {

/// Puts the value at the dotted path; tables on the way are made. A number in the path is the place in an
/// array, from 1 on: workload.1.bytes. What is wrong, for people, if something is.
std::optional<std::string> apply_override(const Override& change, toml::table& root);

/// After all were applied: a misspelt link would otherwise be a new one with most of it missing.
std::optional<std::string> find_unknown_link(const std::vector<Override>& changes, const toml::table& before,
                                             const toml::table& after);
/// Likewise a misspelt host, which nothing would be joined to.
std::optional<std::string> find_unknown_host(const std::vector<Override>& changes, const Scenario& scenario);

}  // namespace braid::scenario
