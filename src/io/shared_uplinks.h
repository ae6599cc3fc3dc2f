// The default way to attach Braid to a machine: it uses the addresses of the machine's own uplinks, beside
// the kernel, and nothing has to be configured.
//
// A TUN device without addresses is the door. What Braid writes there has an uplink's address as its source,
// and the kernel forwards it: a rule for each address sends it out by that address's own uplink. Inbound, TCP
// to Braid's ports at those addresses is forwarded into the device instead of to the kernel's sockets: by
// rules for Braid's block of ephemeral ports and for each port that a Braid program listens on. Both
// families.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "io/firewall.h"
#include "io/icmp_listener.h"
#include "io/instances.h"
#include "io/machine_changes.h"
#include "io/netlink.h"
#include "io/network.h"
#include "io/tun_device.h"

namespace braid::io {

class SharedUplinks final : public Network {
 public:
  static Setup<std::unique_ptr<Network>> open(const NetworkConfig& config);
  ~SharedUplinks() override;

  void configure(host::HostConfig& config) const override;
  Setup<void> attach(LiveHost& live) override;
  int claim_port(const wire::Endpoint& local) override;
  void release_port(const wire::Endpoint& local) override;
  int on_endpoints_changed() override;
  int check_route(const wire::IpAddress& remote) override;
  NetworkReport report() override;
  const std::string& device_name() const override { return device_name_; }

 private:
  /// A device that Braid uses, known by name: one that went and came back is the same path again.
  struct Uplink {
    host::InterfaceId interface = 0;
    int link_index = 0;
    uint32_t table = 0;
    bool is_up = true;
    std::set<LinkAddress> addresses;
    std::vector<KernelRoute> ways;    // by which it leads out; "table" is where each was found
    std::vector<host::Route> routes;  // as told to the host
    std::string kind;
    uint32_t mtu = 0;
  };
  /// A listening port, and the sockets that keep kernel programs from taking it meanwhile.
  struct Claim {
    uint32_t count = 0;
    std::vector<FileDescriptor> holders;
  };
  struct Machine;

  SharedUplinks(const NetworkConfig& config, InstanceDirectory directory)
      : config_(config), directory_(std::move(directory)) {}

  // Setting up and tearing down (shared_uplinks.cc).
  Setup<void> set_up();
  Setup<void> claim_ports();
  Setup<void> reserve_ports();
  Setup<void> set_up_device();
  void undo();

  // Following the machine (shared_uplinks_sync.cc).
  Setup<void> sync();
  Machine read_machine();
  bool is_served(const wire::IpAddress& address) const;
  Uplink* find_or_add(const Link& link);
  void set_up_state(Uplink& uplink, bool is_up);
  void drop_addresses(Uplink& uplink, const std::set<LinkAddress>& kept);
  void add_addresses(const std::string& name, Uplink& uplink, const std::set<LinkAddress>& wanted);
  void add_endpoint(const std::string& name, const Uplink& uplink, const LinkAddress& address);
  void sync_preference(const Uplink& uplink, const LinkAddress& address);
  std::set<LinkAddress> usable_addresses(int link_index, const Machine& machine) const;
  std::string reason_against(const Link& link, const Machine& machine) const;

  // Routes and rules (shared_uplinks_routes.cc).
  void find_ways(const Link& link, Uplink& uplink, const Machine& machine) const;
  std::vector<KernelRoute> way_out(const Link& link, wire::Family family, const Machine& machine) const;
  void tell_routes(Uplink& uplink);
  std::set<KernelRoute> wanted_routes(const Machine& machine) const;
  void sync_routes(const Machine& machine);
  void sync_rules();
  void add_missing_rules();
  std::set<Rule> wanted_rules() const;
  bool is_in_own_block(uint16_t port) const {
    return port >= record_.first_port && port <= record_.last_port;
  }
  Setup<void> set_uplink_sysctls(MachineChanges& changes);
  Setup<void> set_forwarding_v6(MachineChanges& changes);
  Setup<void> set_reverse_path_filter(MachineChanges& changes);
  void on_machine_changed();
  void watch_firewall();

  NetworkConfig config_;
  InstanceDirectory directory_;
  InstanceRecord record_;
  FileDescriptor instance_;  // holds our number
  std::unique_ptr<Netlink> netlink_;
  std::optional<NetlinkMonitor> monitor_;
  std::unique_ptr<TunDevice> device_;  // until attached
  std::string device_name_;
  int device_index_ = 0;
  LiveHost* live_ = nullptr;
  std::unique_ptr<IcmpListener> icmp_;
  PacketDevice* attached_ = nullptr;
  EventLoop::TimerId sync_timer_ = 0;
  std::unique_ptr<Firewall> firewall_;
  EventLoop::TimerId firewall_timer_ = 0;

  std::map<std::string, Uplink> uplinks_;
  std::map<std::string, std::string> unused_;  // devices, and why
  uint32_t next_table_ = 0;
  std::map<wire::IpAddress, uint8_t> endpoints_;  // that we made: their IDs
  std::set<wire::IpAddress> retired_;             // whose endpoints we made backup ones
  std::map<wire::Endpoint, Claim> claims_;
  std::set<wire::Endpoint> announced_;  // claimed for path endpoints that have a port
  std::set<Rule> rules_;                // in place
};

/// Undoes what Braids that were killed have left in this network namespace.
Setup<void> clean_up_after_dead_instances();

}  // namespace braid::io
