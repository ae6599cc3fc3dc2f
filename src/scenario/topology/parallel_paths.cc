#include <fmt/format.h>

#include "scenario/topology/builder.h"

namespace braid::scenario {

void make_parallel_paths(config::TomlTable& table, Builder& build) {
  uint32_t paths = 2;
  table.read("paths", paths, 1, 64);
  const std::string &client = build.host("client"), &server = build.host("server");
  for (uint32_t i = 1; i <= paths; ++i) build.link(client, server, fmt::format("path{}", i));
}

}  // namespace braid::scenario
