#include "service/config_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace braid::service {

namespace {
using nlohmann::json;

struct Unit {
  std::string_view name;
  double factor;
};
constexpr Unit kSizes[] = {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}};
constexpr Unit kTimes[] = {{"min", 60}, {"s", 1}, {"ms", 1e-3}, {"us", 1e-6}};

/// The largest unit of which it is a whole number; 60 s stays in seconds.
std::string with_unit(double value, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    const double count = value / unit.factor;
    if (count < 1 || std::abs(count - std::round(count)) > 1e-9 * count) continue;
    if (unit.name == "min" && count < 5) continue;
    return fmt::format("{} {}", std::llround(count), unit.name);
  }
  return {};
}

std::string without_quotes(std::string text) {
  std::erase(text, '"');
  return text;
}
}  // namespace

std::vector<ConfigKey> config_keys() {
  std::vector<ConfigKey> all(connection_keys().begin(), connection_keys().end());
  all.insert(all.end(), host_keys().begin(), host_keys().end());
  return all;
}

std::string to_toml(const json& value, KeyKind kind) {
  if (value.is_null()) return {};
  if (value.is_number() && kind != KeyKind::kPlain && value != 0) {
    const std::string text =
        with_unit(value.get<double>(),
                  kind == KeyKind::kSize ? std::span<const Unit>(kSizes) : std::span<const Unit>(kTimes));
    if (!text.empty()) return '"' + text + '"';
  }
  if (value.is_number_float()) return fmt::format("{:g}", value.get<double>());
  if (value.is_array()) {
    std::string text;
    for (const json& element : value) text += (text.empty() ? "" : ", ") + to_toml(element, KeyKind::kPlain);
    return "[" + text + "]";
  }
  if (value.is_object()) {
    std::string text;
    for (const auto& [key, element] : value.items()) {
      text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", key, to_toml(element, KeyKind::kPlain));
    }
    return "{" + text + "}";
  }
  return value.dump();  // a string of JSON is one of TOML
}

std::string default_of(const ConfigKey& key) {
  const json value = key.value(Config{});
  const bool is_unset = value.is_null() || (value.is_array() && value.empty() && key.unset != "none");
  if (is_unset) return std::string(key.unset);
  const std::string text = to_toml(value, key.kind);
  return key.kind == KeyKind::kPlain ? "`" + text + "`" : without_quotes(text);
}

std::string to_markdown(std::string_view table) {
  std::string text = "| key | default | takes | meaning |\n|---|---|---|---|\n";
  for (const ConfigKey& key : config_keys()) {
    if (key.table != table) continue;
    text += fmt::format("| `{}` | {} | {} | {} |\n", key.name, default_of(key), key.takes, key.meaning);
  }
  return text;
}

std::string to_toml(const Config& config) {
  std::string text;
  std::string_view table;
  for (const ConfigKey& key : config_keys()) {
    if (key.table == "[connection.paths]" || key.table.starts_with("[[")) continue;
    if (key.table != table) text += fmt::format("{}{}\n", table.empty() ? "" : "\n", key.table);
    table = key.table;
    const json value = key.value(config);
    const bool is_default = value == key.value(Config{});
    if (value.is_null()) {
      text += fmt::format("# {} = {}\n", key.name, without_quotes(std::string(key.unset)));
    } else {
      text += fmt::format("{} = {}{}\n", key.name, to_toml(value, key.kind), is_default ? "" : "   # set");
    }
  }
  for (const mptcp::PathEndpoint& e : config.host.paths.endpoints) {
    std::string flags;
    const std::pair<bool, std::string_view> all[] = {{e.is_signal, "signal"},
                                                     {e.is_subflow, "subflow"},
                                                     {e.is_backup, "backup"},
                                                     {e.is_fullmesh, "fullmesh"}};
    for (const auto& [is_set, name] : all) {
      if (is_set) flags += fmt::format("{}\"{}\"", flags.empty() ? "" : ", ", name);
    }
    text += fmt::format("\n[[endpoint]]\naddress = \"{}\"\nflags = [{}]\n", e.address.to_string(), flags);
    if (e.port != 0) text += fmt::format("port = {}\n", e.port);
    if (e.id != 0) text += fmt::format("id = {}\n", e.id);
    if (!e.interface.empty()) text += fmt::format("interface = {}\n", json(e.interface).dump());
  }
  for (const ListenSpec& l : config.listens) {
    text += fmt::format("\n[[listen]]\nport = {}\n", l.local.port);
    if (!l.local.address.is_unspecified())
      text += fmt::format("address = \"{}\"\n", l.local.address.to_string());
    text += fmt::format("to = \"{}\"\nproxy_protocol = {}\nmax_connections = {}\n", l.target.to_string(),
                        l.sends_proxy_header, l.max_connections);
  }
  if (!config.policy.empty())
    text += fmt::format("\n# {} rules: `braid policy check` shows them.\n", config.policy.rules().size());
  return text;
}

}  // namespace braid::service
