// The network below a host: its interfaces, their addresses, and where each of them leads. Routing is by
// source address: a packet leaves by the interface that has its source, so every path stays on its link.
#pragma once

#include <optional>
#include <vector>

#include "host/host.h"

namespace braid::host {

class Network {
 public:
  struct Interface {
    InterfaceId id = 0;
    InterfaceConfig config;
    bool is_up = true;
  };

  // ---- commands
  InterfaceId add(const InterfaceConfig& config);
  /// False: no such interface, or nothing changed.
  bool set_up(InterfaceId id, bool is_up);
  bool add_address(InterfaceId id, const AddressConfig& address);
  bool remove_address(InterfaceId id, const wire::IpAddress& address);
  /// True: there is one among them that was not there before.
  bool set_routes(InterfaceId id, std::vector<Route> routes);
  void set_mtu(InterfaceId id, uint32_t mtu);

  // ---- getters
  const Interface* find(InterfaceId id) const;
  /// The interface that has the address, up or down (one that takes any, if no other has); nullptr if none
  /// has.
  const Interface* interface_of(const wire::IpAddress& address) const;
  bool has_address(const wire::IpAddress& address) const { return interface_of(address) != nullptr; }
  /// Whether a packet from `local` could reach `remote`: family, route, interface up.
  bool has_route(const wire::IpAddress& local, const wire::IpAddress& remote) const;
  /// The source for a packet to `remote`: on the interface with the longest matching prefix, then the least
  /// metric, then the first added. Nothing: no interface that is up leads there.
  std::optional<wire::IpAddress> select_source(const wire::IpAddress& remote) const;

 private:
  struct Match {
    int prefix_bits = 0;
    uint32_t metric = 0;
    bool is_better_than(const Match& other) const {
      return prefix_bits != other.prefix_bits ? prefix_bits > other.prefix_bits : metric < other.metric;
    }
  };
  struct Owner {
    wire::IpAddress address;
    InterfaceId interface = 0;
  };
  bool has_owner(const wire::IpAddress& address) const;
  static std::optional<Match> best_match(const Interface& interface, const wire::IpAddress& remote);
  static std::optional<wire::IpAddress> source_on(const Interface& interface, const wire::IpAddress& remote);

  std::vector<Interface> interfaces_;
  std::vector<Owner> owners_;  // of every address, in the order in which they were added
  mutable size_t last_owner_ = 0;
  std::optional<InterfaceId> owner_of_all_;  // of addresses that no interface has
};

}  // namespace braid::host
