#include <fmt/format.h>

#include "scenario/link_reader.h"
#include "scenario/topology/builder.h"

namespace braid::scenario {

/// VL2 (Greenberg et al., SIGCOMM 2009, figure 5): a Clos network. Aggregation switches have D_A ports and
/// intermediate ones D_I; so there are D_A/2 intermediate switches, each joined to all D_I aggregation
/// switches, and D_A*D_I/4 racks, the switch of each joined to two of these. Links between switches are ten
/// times as fast as those of the servers. Flows spread by ECMP; VL2's detour over a random intermediate
/// switch between racks that share an aggregation switch is left out.
void make_vl2(config::TomlTable& table, Builder& build) {
  constexpr uint64_t kCoreFactor = 10;
  uint32_t aggregation_ports = 4, intermediate_ports = 4, servers = 4;
  table.read("aggregation_ports", aggregation_ports, 2, 24);
  table.read("intermediate_ports", intermediate_ports, 2, 24);
  table.read("servers", servers, 1, 20);
  if (aggregation_ports % 2 != 0) return table.complain("aggregation_ports", "must be even");
  if (intermediate_ports % 2 != 0) return table.complain("intermediate_ports", "must be even");
  LinkDirections core = build.behaviour();
  for (sim::LinkConfig& direction : core) {
    direction.bits_per_second *= kCoreFactor;
    direction.queue.limit_bytes *= kCoreFactor;  // as long in time
  }
  build.read_behaviour(table, "core", core);

  std::vector<std::string> intermediate, aggregation;
  for (uint32_t i = 0; i < aggregation_ports / 2; ++i)
    intermediate.push_back(build.router(fmt::format("int{}", i)));
  for (uint32_t a = 0; a < intermediate_ports; ++a) {
    aggregation.push_back(build.router(fmt::format("agg{}", a)));
    for (const std::string& up : intermediate) build.link(aggregation.back(), up, "", core);
  }
  const uint32_t racks = aggregation_ports * intermediate_ports / 4;
  const uint32_t pairs = intermediate_ports / 2;  // of aggregation switches that serve the same racks
  uint32_t host = 0;
  for (uint32_t rack = 0; rack < racks; ++rack) {
    const std::string& tor = build.router(fmt::format("tor{}", rack));
    for (const uint32_t a : {rack % pairs * 2, rack % pairs * 2 + 1})
      build.link(tor, aggregation[a], "", core);
    for (uint32_t s = 0; s < servers; ++s) build.link(build.host(fmt::format("h{}", host++)), tor);
  }
}

}  // namespace braid::scenario
