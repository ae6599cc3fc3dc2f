// A scenario made into a network: links, routers, middleboxes, and Braid's hosts on them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "scenario/host_addresses.h"
#include "scenario/scenario.h"
#include "sim/network.h"

namespace braid::scenario {

/// Where the hosts are: in the network, or somewhere else, with only the edge of each of their interfaces in
/// it.
enum class HostPlace : uint8_t { kInside, kOutside };

/// A host's interface, as it has to be set up where the host is.
struct Attachment {
  std::string host;
  wire::IpAddress address;
  int prefix_bits = 0;
  bool has_default_route = false;  // a router is at the other end
  bool is_there_at_first = true;   // otherwise an event brings the address
  // As an endpoint of MPTCP
  bool is_subflow = false, is_signal = false;
  sim::Link* link = nullptr;
  sim::Direction away = sim::Direction::kForward;  // the direction of what the host sends
  sim::EdgePort* edge = nullptr;                   // where what it receives comes out: kOutside only
};

/// Addresses are given out here: each link with a host on it has a network of its own. All of a host's
/// interfaces are endpoints, so that connections use them.
class World {
 public:
  /// `scenario` outlives it, and has no Linux hosts inside.
  World(const Scenario& scenario, uint64_t seed, HostPlace place = HostPlace::kInside);

  sim::Network& network() { return network_; }
  sim::HostNode& host(const std::string& name) { return *hosts_.at(name); }
  sim::Link& link(const std::string& name) { return *links_.at(name); }
  /// Where others reach it: the address of its first interface.
  wire::IpAddress address_of(const std::string& host) const { return addresses_.at(host); }
  const std::vector<Attachment>& attachments() const { return attachments_; }
  /// What happens to hosts takes hosts that are inside.
  void apply(const EventSpec& event);

 private:
  struct Subnet {
    sim::Router::Prefix prefix;
    std::vector<std::string> routers;  // that are on it
    sim::Link* link;
  };
  void make_links();
  void attach(const LinkSpec& spec, size_t index, sim::Link& link);
  sim::Port& attach_host(const std::string& name, size_t link_index, int end, sim::Link& link,
                         bool is_routed);
  sim::Port& attach_inside(const Attachment& attachment);
  void make_routes();
  void make_given_routes();
  bool is_there_at_first(const std::string& host, const std::string& link) const;
  bool is_given(const std::string& router, const sim::Router::Prefix& prefix) const;
  bool is_router(const std::string& name) const { return routers_.contains(name); }
  wire::IpAddress address(size_t link_index, int end) const;

  const Scenario& scenario_;
  HostPlace place_;
  sim::Network network_;
  std::vector<Attachment> attachments_;
  std::map<std::string, sim::HostNode*> hosts_;
  std::map<std::string, sim::Router*> routers_;
  std::map<std::string, sim::Link*> links_;
  std::map<std::string, wire::IpAddress> addresses_;
  std::map<std::string, HostAddresses> host_addresses_;  // of hosts that are inside
  std::map<std::string, std::vector<std::pair<std::string, uint32_t>>> neighbours_;  // router: router, port
  std::map<std::string, std::map<const sim::Link*, uint32_t>> ports_;                // router: link -> port
  std::vector<Subnet> subnets_;
  std::vector<const RouteSpec*> given_prefixes_;  // the file's routes that name no host
  bool has_wide_addresses_;
};

}  // namespace braid::scenario
