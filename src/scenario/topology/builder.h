// What topologies are made of.
#pragma once

#include <array>
#include <filesystem>
#include <list>
#include <string>

#include "config/toml_reader.h"
#include "scenario/scenario.h"

namespace braid::scenario {

using LinkDirections = std::array<sim::LinkConfig, 2>;  // forward, backward

class Builder {
 public:
  Builder(Scenario& scenario, const LinkDirections& behaviour, const std::filesystem::path& directory,
          config::TomlErrors& errors)
      : scenario_(scenario), behaviour_(behaviour), directory_(directory), errors_(errors) {}

  /// The names that these give back stay good.
  const std::string& host(std::string name);
  const std::string& router(std::string name);
  /// As [topology] says, or as given. Without a name it is "A-B".
  LinkSpec& link(const std::string& a, const std::string& b, std::string name = "");
  LinkSpec& link(const std::string& a, const std::string& b, std::string name,
                 const LinkDirections& behaviour);
  /// Without limits: what is not the point of the topology.
  LinkSpec& fast_link(const std::string& a, const std::string& b, std::string name = "");
  void route(RouteSpec route) { scenario_.routes.push_back(std::move(route)); }
  void event(EventSpec event) { scenario_.events.push_back(std::move(event)); }

  const LinkDirections& behaviour() const { return behaviour_; }
  /// The link keys of a table inside [topology], which change `behaviour`.
  void read_behaviour(config::TomlTable& table, std::string_view key, LinkDirections& behaviour);

 private:
  Scenario& scenario_;
  LinkDirections behaviour_;
  const std::filesystem::path& directory_;
  config::TomlErrors& errors_;
  std::list<std::string> names_;
};

// One file each; they read their own keys.
void make_parallel_paths(config::TomlTable& table, Builder& build);
void make_shared_bottleneck(config::TomlTable& table, Builder& build);
void make_dumbbell(config::TomlTable& table, Builder& build);
void make_fat_tree(config::TomlTable& table, Builder& build);
void make_bcube(config::TomlTable& table, Builder& build);
void make_vl2(config::TomlTable& table, Builder& build);
void make_multi_homed_phone(config::TomlTable& table, Builder& build);

}  // namespace braid::scenario
