// What the machine is like at one moment, as SharedUplinks compares it with what it set up.
#pragma once

#include <linux/rtnetlink.h>

#include <algorithm>
#include <string>
#include <vector>

#include "io/netlink.h"
#include "io/routing_tables.h"
#include "io/shared_uplinks.h"

namespace braid::io {

/// The "table" of a route that no table has: from the configuration, or assumed of a point-to-point link.
inline constexpr uint32_t kNoTable = 0;

struct SharedUplinks::Machine {
  std::vector<Link> links;
  std::vector<LinkAddress> addresses;
  std::vector<KernelRoute> routes;  // both families, all tables

  bool has_default_route(int link_index) const {
    return std::ranges::any_of(routes, [&](const KernelRoute& route) {
      return route.table == RT_TABLE_MAIN && route.link_index == link_index && route.destination.bits == 0;
    });
  }
};

}  // namespace braid::io
