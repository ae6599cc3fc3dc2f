#include "scenario/topology/topology.h"

#include <fmt/format.h>

#include "scenario/link_reader.h"
#include "scenario/topology/builder.h"

namespace braid::scenario {

namespace {

struct Kind {
  const char* name;
  void (*make)(config::TomlTable& table, Builder& build);
};
constexpr std::array<Kind, 7> kKinds = {{
    {"parallel-paths", make_parallel_paths},
    {"shared-bottleneck", make_shared_bottleneck},
    {"dumbbell", make_dumbbell},
    {"fat-tree", make_fat_tree},
    {"vl2", make_vl2},
    {"bcube", make_bcube},
    {"multi-homed-phone", make_multi_homed_phone},
}};

}  // namespace

void add_topology(config::TomlTable& table, const std::filesystem::path& directory,
                  config::TomlErrors& errors, Scenario& scenario) {
  std::vector<std::string> names;
  std::string list;
  for (const Kind& kind : kKinds) {
    names.emplace_back(kind.name);
    list += fmt::format("{}{}", list.empty() ? "" : ", ", kind.name);
  }
  std::string chosen;
  table.read_choice("kind", chosen, names);
  if (!table.has("kind")) table.complain("kind", "is needed: one of " + list);
  LinkDirections behaviour;
  read_link_behaviour(table, directory, errors, behaviour);
  for (sim::LinkConfig& direction : behaviour) choose_queue(direction);
  Builder build(scenario, behaviour, directory, errors);
  for (const Kind& kind : kKinds) {
    if (chosen != kind.name) continue;
    kind.make(table, build);
    table.refuse_others();
  }
}

}  // namespace braid::scenario
