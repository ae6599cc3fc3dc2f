// Every key of the configuration file in one table: what it means, what it takes, its value in a Config. From
// it come `braid config keys`, `braid config show` and the tables of docs/configuration.md, which a test
// holds to it; another test holds it to the keys that the reader knows.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "service/config.h"

namespace braid::service {

/// How a value is written: in TOML, in Markdown, with its unit.
enum class KeyKind : uint8_t { kPlain, kSize, kDuration };

struct ConfigKey {
  std::string_view table;  // "[connection]", "[[endpoint]]"
  std::string_view name;   // "scheduler"
  KeyKind kind;
  std::string_view takes;    // "true, false", "1 to 255", "size"
  std::string_view meaning;  // Markdown, without line ends
  /// Of a Config, in TOML's types; sizes in bytes, durations in seconds. Null: not set, and then what `unset`
  /// says.
  nlohmann::json (*value)(const Config& config);
  std::string_view unset = "none";
};

/// All of them, table by table.
std::vector<ConfigKey> config_keys();
/// Those of [connection], and of the other tables; parts of config_keys().
std::span<const ConfigKey> connection_keys();
std::span<const ConfigKey> host_keys();

/// "4 MiB" in quotes, "250 ms" in quotes, "true": as a file would say it. Null is empty.
std::string to_toml(const nlohmann::json& value, KeyKind kind);
/// The same for people: without quotes around what has a unit.
std::string default_of(const ConfigKey& key);
/// The rows of a table of docs/configuration.md, heading included.
std::string to_markdown(std::string_view table);
/// The whole configuration as TOML, the values that differ from the default marked.
std::string to_toml(const Config& config);

}  // namespace braid::service
