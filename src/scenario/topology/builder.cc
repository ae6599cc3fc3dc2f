#include "scenario/topology/builder.h"

#include <fmt/format.h>

#include <algorithm>

#include "scenario/link_reader.h"

namespace braid::scenario {

const std::string& Builder::host(std::string name) {
  if (std::ranges::count(scenario_.hosts, name, &HostSpec::name) == 0) {
    HostSpec& spec = scenario_.hosts.emplace_back();
    spec.name = name;
    spec.config.paths.limits = {.subflows = 8, .add_addr_accepted = 8};
  }
  return names_.emplace_back(std::move(name));
}

const std::string& Builder::router(std::string name) {
  scenario_.routers.push_back(name);
  return names_.emplace_back(std::move(name));
}

LinkSpec& Builder::link(const std::string& a, const std::string& b, std::string name,
                        const LinkDirections& behaviour) {
  LinkSpec& link = scenario_.links.emplace_back();
  link.name = name.empty() ? fmt::format("{}-{}", a, b) : std::move(name);
  link.between = {a, b};
  link.directions = behaviour;
  return link;
}

LinkSpec& Builder::link(const std::string& a, const std::string& b, std::string name) {
  return link(a, b, std::move(name), behaviour_);
}

LinkSpec& Builder::fast_link(const std::string& a, const std::string& b, std::string name) {
  return link(a, b, std::move(name), {});
}

void Builder::read_behaviour(config::TomlTable& table, std::string_view key, LinkDirections& behaviour) {
  const toml::table* found = table.read_table(key);
  if (found == nullptr) return;
  config::TomlTable inner(found, fmt::format("[topology.{}]", key), errors_);
  read_link_behaviour(inner, directory_, errors_, behaviour);
  inner.refuse_others();
}

}  // namespace braid::scenario
