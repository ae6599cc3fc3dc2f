// A host's addresses, one a link, and what its path manager is told of them.
#pragma once

#include <string>
#include <vector>

#include "sim/host_node.h"

namespace braid::scenario {

/// What connections are to do with the host's addresses: of hosts that open them, of hosts that accept them.
struct EndpointUse {
  bool is_subflow = false, is_signal = false;
};

/// Each address that the host has is an endpoint. As the daemon does, an address that goes takes its endpoint
/// with it.
class HostAddresses {
 public:
  /// `node` outlives it.
  HostAddresses(sim::HostNode& node, EndpointUse use) : node_(node), use_(use) {}

  // ---- commands; links are those of the host
  void add(std::string link, host::InterfaceId interface, const host::AddressConfig& address, bool is_there,
           Time now);
  void take_away(const std::string& link, Time now);
  void put_back(const std::string& link, Time now);
  void set_backup(const std::string& link, bool is_backup, Time now);
  /// The host has forgotten all that it was told.
  void on_restart(Time now);

 private:
  struct Entry {
    std::string link;
    host::InterfaceId interface;
    host::AddressConfig address;
    bool is_there = true, is_backup = false;
    uint8_t endpoint = 0;  // its ID; 0: none
  };
  Entry& entry(const std::string& link);
  void make_endpoint(Entry& entry, Time now);

  sim::HostNode& node_;
  EndpointUse use_;
  std::vector<Entry> entries_;  // in the order of the interfaces
};

}  // namespace braid::scenario
