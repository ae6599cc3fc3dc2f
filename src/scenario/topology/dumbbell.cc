#include <fmt/format.h>

#include "scenario/topology/builder.h"

namespace braid::scenario {

void make_dumbbell(config::TomlTable& table, Builder& build) {
  uint32_t pairs = 2;
  table.read("pairs", pairs, 1, 1000);
  const std::string &left = build.router("left"), &right = build.router("right");
  for (uint32_t i = 1; i <= pairs; ++i) {
    build.fast_link(build.host(fmt::format("client{}", i)), left);
    build.fast_link(right, build.host(fmt::format("server{}", i)));
  }
  build.link(left, right, "bottleneck");
}

}  // namespace braid::scenario
