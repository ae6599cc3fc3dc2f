// A configuration file read for people: every mistake, and what is allowed and yet cannot be meant.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/toml_reader.h"
#include "service/config.h"

namespace braid::service {

struct CheckedConfig {
  Config config;                                      // as far as it could be read
  std::vector<config::TomlFinding> errors, warnings;  // each in the file's order
  /// The keys that this program knows in the tables that are there, as ("[table]", "key").
  std::set<std::pair<std::string, std::string>> asked;
};

/// Finds all mistakes, not just the first (of those that make it no TOML: the first). Warnings are looked for
/// in a file without errors. Loads the plug-ins that it names.
CheckedConfig check_config(std::string_view text, std::string_view name);

/// Keys that have no effect beside others, or leave Braid with nothing to work with, each at the place of the
/// key.
std::vector<config::TomlFinding> contradictions(const toml::table& root, const Config& config);

}  // namespace braid::service
