// Forwards by longest prefix; over several next hops of equal cost by a hash of the flow (ECMP, RFC 2992).
// For packets with a label (DSCP) there may be routes of their own, which go first.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/flat_map.h"
#include "sim/icmp_error.h"
#include "sim/link.h"
#include "sim/packet.h"

namespace braid::sim {

class Router {
 public:
  struct Totals {
    uint64_t forwarded = 0, no_route = 0, expired = 0, too_big = 0, malformed = 0;
  };
  struct Prefix {
    wire::IpAddress network;
    int bits = 0;
  };

  /// `address`: what its ICMP errors come from, one for each family that it carries. It answers nothing else.
  Router(std::string name, ChunkPool& pool, uint64_t seed);
  ~Router();

  // ---- commands
  void set_address(const wire::IpAddress& address);
  /// A port to the link's end where `direction` begins; its number, from 0 on.
  uint32_t add_port(Link& link, Direction direction);
  Port& port(uint32_t number);
  /// Over all of `ports`; replaces a route to the same prefix.
  void set_route(const Prefix& prefix, std::vector<uint32_t> ports);
  /// The same for packets with that DSCP (0..63), whatever the routes for others are.
  void set_label_route(uint8_t dscp, const Prefix& prefix, std::vector<uint32_t> ports);
  void clear_routes();

  // ---- getters
  const std::string& name() const { return name_; }
  const Totals& totals() const { return totals_; }

 private:
  class Interface;
  struct Route {
    Prefix prefix;
    uint32_t choice;  // index into choices_
  };
  struct AddressHash {
    uint64_t operator()(const wire::IpAddress& address) const;
  };
  struct LabelRoute {
    uint8_t dscp;
    Route route;
  };
  using Ports = std::vector<uint32_t>;
  void forward(Packet packet, uint32_t from, Time now);
  void refuse(IcmpReason reason, uint32_t mtu, const Packet& packet, uint32_t from, Time now);
  uint32_t intern(Ports ports);
  void forget_found();
  /// nullptr: no route.
  const Ports* find_ports(const wire::IpAddress& destination);
  /// nullptr: none for that label, so the others' routes hold.
  const Ports* find_label_ports(uint8_t dscp, const wire::IpAddress& destination) const;

  std::string name_;
  ChunkPool& pool_;
  uint64_t salt_;
  wire::IpAddress v4_, v6_;
  bool has_v4_ = false, has_v6_ = false;
  std::vector<std::unique_ptr<Interface>> ports_;
  std::vector<Route> routes_;             // longest prefix first
  std::vector<LabelRoute> label_routes_;  // longest prefix first; few, and none in most networks
  /// Each set of ports once: few, so they stay in the cache, whatever the number of routes.
  std::vector<Ports> choices_;
  /// Index into choices_ by destination.
  FlatMap<wire::IpAddress, uint32_t, AddressHash> found_{AddressHash{}};
  Totals totals_;
};

}  // namespace braid::sim
