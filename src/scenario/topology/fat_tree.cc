#include <fmt/format.h>

#include "scenario/topology/builder.h"

namespace braid::scenario {

/// k pods of k/2 edge and k/2 aggregation switches, (k/2)^2 core switches, k^3/4 hosts (Al-Fares et al.,
/// SIGCOMM 2008).
void make_fat_tree(config::TomlTable& table, Builder& build) {
  uint32_t k = 4;
  table.read("k", k, 2, 16);
  if (k % 2 != 0) return table.complain("k", "must be even");
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

}  // namespace braid::scenario
