// The host's uplinks as Braid would choose them.
#pragma once

#include <optional>
#include <vector>

#include "io/netlink.h"
#include "io/network.h"

namespace braid::doctor {

struct Uplink {
  io::Link link;
  std::vector<wire::IpAddress> addresses;  // global and usable
};

struct Machine {
  std::vector<Uplink> uplinks;
  std::vector<io::KernelRoute> routes;  // both families, all tables

  /// In the main table; null: none.
  const io::KernelRoute* default_route(int link_index, wire::Family family) const;
};

std::optional<Machine> read_machine(io::Netlink& netlink, const io::NetworkConfig& config);

}  // namespace braid::doctor
