#include "scenario/override.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "config/closest.h"

namespace braid::scenario {

namespace {

/// "links.wifi.loss" with "links": "wifi"; empty if the key is not in such a table.
std::string_view name_in(std::string_view key, std::string_view table) {
  if (!key.starts_with(table) || key.substr(table.size(), 1) != ".") return {};
  key.remove_prefix(table.size() + 1);
  const size_t dot = key.find('.');
  return dot == std::string_view::npos ? std::string_view() : key.substr(0, dot);
}

std::string did_you_mean(std::string_view name, const std::vector<std::string_view>& known) {
  const std::string_view meant = config::closest(name, known);
  return meant.empty() ? "" : fmt::format("; did you mean \"{}\"?", meant);
}

toml::node* find_place(std::string_view part, toml::array& array, std::string& wrong) {
  size_t place = 0;
  const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), place);
  if (error == std::errc() && end == part.data() + part.size() && place >= 1 && place <= array.size())
    return array.get(place - 1);
  wrong = fmt::format("\"{}\" is no place in that array: it has 1 to {}", part, array.size());
  return nullptr;
}

}  // namespace

std::optional<std::string> apply_override(const Override& change, toml::table& root) {
  toml::node* here = &root;
  std::string_view rest = change.key;
  std::string wrong;
  while (true) {
    const size_t dot = rest.find('.');
    const std::string_view part = rest.substr(0, dot);
    const bool is_last = dot == std::string_view::npos;
    if (part.empty())
      return fmt::format("{}={}: a part of the key is missing, such as links.wifi.loss", change.key,
                         change.value);
    toml::array* array = here->as_array();
    toml::table* table = here->as_table();
    if (array == nullptr && table == nullptr)
      return fmt::format("{}: what stands before \"{}\" is a value, and has no keys", change.key, part);
    if (array != nullptr) {
      here = find_place(part, *array, wrong);
      if (here == nullptr) return fmt::format("{}: {}", change.key, wrong);
      if (is_last) return fmt::format("{}: name a key of that entry too", change.key);
    } else if (!is_last) {
      if (table->get(part) == nullptr) table->insert(part, toml::table{});
      here = table->get(part);
    } else {
      toml::table value;
      try {
        value = toml::parse(fmt::format("value = {}", change.value));
      } catch (const toml::parse_error&) {
        value.insert("value", change.value);  // a bare word is a string
      }
      table->insert_or_assign(part, *value.get("value"));
      return std::nullopt;
    }
    rest.remove_prefix(dot + 1);
  }
}

std::optional<std::string> find_unknown_link(const std::vector<Override>& changes, const toml::table& before,
                                             const toml::table& after) {
  for (const Override& change : changes) {
    const std::string_view name = name_in(change.key, "links");
    if (name.empty() || before["links"][name] || after["links"][name]["between"]) continue;
    std::vector<std::string_view> known;
    if (const toml::table* links = before["links"].as_table()) {
      for (const auto& [key, link] : *links) known.push_back(key.str());
    }
    return fmt::format(
        "{}: the file has no [links.{}]{}{}", change.key, name, did_you_mean(name, known),
        before["topology"] ? "; links of the topology take keys of [topology]: topology.rate" : "");
  }
  return std::nullopt;
}

std::optional<std::string> find_unknown_host(const std::vector<Override>& changes, const Scenario& scenario) {
  for (const Override& change : changes) {
    const std::string_view name = name_in(change.key, "hosts");
    const auto is_end = [&](const LinkSpec& link) { return std::ranges::count(link.between, name) > 0; };
    if (name.empty() || std::ranges::any_of(scenario.links, is_end)) continue;
    std::vector<std::string_view> known;
    for (const HostSpec& host : scenario.hosts) {
      if (host.name != name) known.push_back(host.name);
    }
    return fmt::format("{}: there is no host \"{}\"{}", change.key, name, did_you_mean(name, known));
  }
  return std::nullopt;
}

}  // namespace braid::scenario
