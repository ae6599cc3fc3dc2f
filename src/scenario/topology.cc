#include "scenario/topology.h"

#include <fmt/format.h>

#include <algorithm>
#include <list>

#include "scenario/link_reader.h"

namespace braid::scenario {

namespace {

using Directions = std::array<sim::LinkConfig, 2>;

class Builder {
 public:
  Builder(Scenario& scenario, const Directions& behaviour) : scenario_(scenario), behaviour_(behaviour) {}

  const std::string& host(std::string name) {
    if (std::ranges::count(scenario_.hosts, name, &HostSpec::name) == 0) {
      HostSpec& spec = scenario_.hosts.emplace_back();
      spec.name = name;
      spec.config.paths.limits = {.subflows = 8, .add_addr_accepted = 8};
    }
    return names_.emplace_back(std::move(name));
  }
  const std::string& router(std::string name) {
    scenario_.routers.push_back(name);
    return names_.emplace_back(std::move(name));
  }
  void link(const std::string& a, const std::string& b, std::string name = "") {
    LinkSpec& link = scenario_.links.emplace_back();
    link.name = name.empty() ? fmt::format("{}-{}", a, b) : std::move(name);
    link.between = {a, b};
    link.directions = behaviour_;
  }
  /// Without limits: what is not the point of the topology.
  void fast_link(const std::string& a, const std::string& b) {
    link(a, b);
    for (sim::LinkConfig& direction : scenario_.links.back().directions) direction = {};
  }

 private:
  Scenario& scenario_;
  Directions behaviour_;
  std::list<std::string> names_;
};

void parallel_paths(Builder& build, uint32_t count) {
  const std::string &client = build.host("client"), &server = build.host("server");
  for (uint32_t i = 1; i <= count; ++i) build.link(client, server, fmt::format("path{}", i));
}

/// Every client has `paths` interfaces, all of which share the one link behind the router.
void shared_bottleneck(Builder& build, uint32_t clients, uint32_t paths) {
  const std::string &left = build.router("left"), &server = build.host("server");
  for (uint32_t i = 1; i <= clients; ++i) {
    const std::string& client = build.host(fmt::format("client{}", i));
    for (uint32_t path = 1; path <= paths; ++path) build.fast_link(client, left);
  }
  build.link(left, server, "bottleneck");
}

void dumbbell(Builder& build, uint32_t pairs) {
  const std::string &left = build.router("left"), &right = build.router("right");
  for (uint32_t i = 1; i <= pairs; ++i) {
    build.fast_link(build.host(fmt::format("client{}", i)), left);
    build.fast_link(right, build.host(fmt::format("server{}", i)));
  }
  build.link(left, right, "bottleneck");
}

/// k pods of k/2 edge and k/2 aggregation switches, (k/2)^2 core switches, k^3/4 hosts (Al-Fares et al.,
/// 2008).
void fat_tree(Builder& build, uint32_t k) {
  const uint32_t half = k / 2;
  std::vector<std::string> core;
  for (uint32_t i = 0; i < half * half; ++i) core.push_back(build.router(fmt::format("core{}", i)));
  uint32_t host = 0;
  for (uint32_t pod = 0; pod < k; ++pod) {
    std::vector<std::string> aggregation;
    for (uint32_t a = 0; a < half; ++a) {
      aggregation.push_back(build.router(fmt::format("agg{}_{}", pod, a)));
      for (uint32_t c = 0; c < half; ++c) build.link(aggregation.back(), core[a * half + c]);
    }
    for (uint32_t e = 0; e < half; ++e) {
      const std::string& edge = build.router(fmt::format("edge{}_{}", pod, e));
      for (const std::string& up : aggregation) build.link(edge, up);
      for (uint32_t h = 0; h < half; ++h) build.link(build.host(fmt::format("h{}", host++)), edge);
    }
  }
}

}  // namespace

void add_topology(config::TomlTable& table, const std::filesystem::path& directory,
                  config::TomlErrors& errors, Scenario& scenario) {
  std::string kind;
  table.read_choice("kind", kind, {"parallel-paths", "shared-bottleneck", "dumbbell", "fat-tree"});
  uint32_t paths = kind == "shared-bottleneck" ? 1 : 2, clients = 2, pairs = 2, k = 4;
  Directions behaviour;
  read_link_behaviour(table, directory, errors, behaviour);
  for (sim::LinkConfig& direction : behaviour) choose_queue(direction);
  Builder build(scenario, behaviour);
  if (kind == "parallel-paths") {
    table.read("paths", paths, 1, 64);
    parallel_paths(build, paths);
  } else if (kind == "shared-bottleneck") {
    table.read("clients", clients, 1, 1000);
    table.read("paths", paths, 1, 8);
    shared_bottleneck(build, clients, paths);
  } else if (kind == "dumbbell") {
    table.read("pairs", pairs, 1, 1000);
    dumbbell(build, pairs);
  } else if (kind == "fat-tree") {
    table.read("k", k, 2, 16);
    if (k % 2 != 0) table.complain("k", "must be even");
    fat_tree(build, k);
  } else {
    table.complain("kind", "is needed: parallel-paths, shared-bottleneck, dumbbell or fat-tree");
  }
  table.refuse_others();
}

}  // namespace braid::scenario
