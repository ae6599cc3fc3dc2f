#include <fmt/format.h>

#include "scenario/topology/builder.h"

namespace braid::scenario {

/// Every client has `paths` interfaces, all of which share the one link behind the router.
void make_shared_bottleneck(config::TomlTable& table, Builder& build) {
  uint32_t clients = 2, paths = 1;
  table.read("clients", clients, 1, 1000);
  table.read("paths", paths, 1, 8);
  const std::string &left = build.router("left"), &server = build.host("server");
  for (uint32_t i = 1; i <= clients; ++i) {
    const std::string& client = build.host(fmt::format("client{}", i));
    for (uint32_t path = 1; path <= paths; ++path)
      build.fast_link(client, left, path == 1 ? "" : fmt::format("{}-left-{}", client, path));
  }
  build.link(left, server, "bottleneck");
}

}  // namespace braid::scenario
