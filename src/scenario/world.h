// A scenario made into a network: links, routers, middleboxes, and Braid's hosts on them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "scenario/scenario.h"
#include "sim/network.h"

namespace braid::scenario {

/// Addresses are given out here: each link with a host on it has a network of its own. Hosts with
/// several interfaces have endpoints for them, so that connections use them.
class World {
 public:
  /// `scenario` outlives it, and has no Linux hosts.
  World(const Scenario& scenario, uint64_t seed);

  sim::Network& network() { return network_; }
  sim::HostNode& host(const std::string& name) { return *hosts_.at(name); }
  sim::Link& link(const std::string& name) { return *links_.at(name); }
  /// Where others reach it: the address of its first interface.
  wire::IpAddress address_of(const std::string& host) const { return addresses_.at(host); }
  void apply(const EventSpec& event);

 private:
  struct Attachment {
    std::string node;
    sim::Link* link;
    sim::Direction direction;  // away from the node
    uint32_t port = 0;         // of a router
  };
  struct Subnet {
    sim::Router::Prefix prefix;
    std::vector<std::string> routers;  // that are on it
    sim::Link* link;
  };
  void make_links();
  void attach(const LinkSpec& spec, size_t index, sim::Link& link);
  sim::Port& attach_host(const std::string& name, size_t link_index, int end, sim::Link& link,
                         bool is_routed);
  void add_endpoints(const std::string& name, sim::HostNode& node);
  void make_routes();
  void make_given_routes();
  bool is_given(const std::string& router, const sim::Router::Prefix& prefix) const;
  bool is_router(const std::string& name) const { return routers_.contains(name); }
  wire::IpAddress address(size_t link_index, int end) const;

  const Scenario& scenario_;
  sim::Network network_;
  std::map<std::string, sim::HostNode*> hosts_;
  std::map<std::string, sim::Router*> routers_;
  std::map<std::string, sim::Link*> links_;
  std::map<std::string, wire::IpAddress> addresses_;
  struct Interface {
    std::string link;
    wire::IpAddress address;
  };
  std::map<std::string, std::vector<Interface>> interfaces_;                         // of hosts, in order
  std::map<std::string, std::vector<std::pair<std::string, uint32_t>>> neighbours_;  // router: router, port
  std::map<std::string, std::map<const sim::Link*, uint32_t>> ports_;                // router: link -> port
  std::vector<Subnet> subnets_;
  std::vector<const RouteSpec*> given_prefixes_;  // the file's routes that name no host
  bool has_wide_addresses_;
};

}  // namespace braid::scenario
