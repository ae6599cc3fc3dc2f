// How Braid is attached to the machine it runs on: by sharing the addresses of the machine's own uplinks
// (the default; nothing to configure), or by a TUN device with addresses of its own (labs, tests).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/host.h"
#include "io/live_host.h"
#include "io/setup_error.h"
#include "wire/address.h"

namespace braid::io {

/// What may be done to a firewall that drops forwarded packets, as Braid's are.
enum class FirewallMode : uint8_t {
  kReplies,  // let through what Braid sends and what comes to its ephemeral ports; nothing may be opened by
             // it
  kOpen,     // also what comes to the ports that programs listen on
  kLeave,    // nothing
};

struct NetworkConfig {
  /// Braid's own addresses: if there are any, a plain TUN device with these, and no sharing.
  std::vector<host::AddressConfig> addresses;
  /// Plain mode: addresses for the kernel's side of the device.
  std::vector<host::AddressConfig> kernel_addresses;
  uint32_t mtu = 1500;  // plain mode: Braid's MTU

  /// Name of the TUN device; a %d is replaced by the first free number.
  std::string device = "braid%d";

  /// Sharing: the uplinks to use; empty: every device that is up and has a global address.
  std::vector<std::string> interfaces;
  std::vector<std::string> excluded_interfaces;
  bool use_ipv4 = true, use_ipv6 = true;
  /// Sharing: the ephemeral ports of all Braids of a network namespace, kept free of the kernel's. Each takes
  /// the first free block of `ports_per_instance`; 0: half of the longest free run, so that the usual one and
  /// only has most, and there is always something left for one more.
  uint16_t first_port = 61000, last_port = 64999;
  uint16_t ports_per_instance = 0;
  /// Sharing: the way out of uplinks that the machine has no default route for, by name: one of each family.
  std::vector<std::pair<std::string, wire::IpAddress>> gateways;
  FirewallMode firewall = FirewallMode::kReplies;
  /// Sharing: whether each address becomes a path endpoint by itself (subflow and signal).
  bool auto_endpoints = true;
};

/// How a device stands with Braid, for people who ask.
struct UplinkInfo {
  struct Address {
    host::AddressConfig address;
    bool is_preferred = true;
    uint8_t endpoint_id = 0;  // 0: no path endpoint
  };
  struct DefaultRoute {
    wire::Family family = wire::Family::kV4;
    std::optional<wire::IpAddress> gateway;  // none: straight out of the link
    std::string source;                      // "main", "table 100", "configured", "assumed"
  };
  std::string name, kind;
  bool is_up = false;
  uint32_t mtu = 0;
  std::vector<Address> addresses;
  std::vector<DefaultRoute> default_routes;
};

struct NetworkReport {
  std::vector<UplinkInfo> uplinks;
  std::vector<std::pair<std::string, std::string>> unused;  // devices, and why they are none
  std::vector<std::string> firewall_chains;                 // where rules let Braid's packets through
  std::vector<std::string> warnings;                        // what stands in the way, and what to do
};

/// Undoes whatever it did to the machine when destroyed; what a killed process left behind is undone by the
/// next open().
class Network {
 public:
  /// Needs CAP_NET_ADMIN.
  static Setup<std::unique_ptr<Network>> open(const NetworkConfig& config);
  virtual ~Network() = default;

  /// Before the host is made: the ephemeral ports it may use.
  virtual void configure(host::HostConfig& config) const = 0;
  /// Once: devices, interfaces, addresses, routes and endpoints; then follows their changes. The network is
  /// destroyed before the LiveHost.
  virtual Setup<void> attach(LiveHost& live) = 0;

  /// Inbound connections to this endpoint (address unspecified: to all of Braid's) come to Braid until
  /// release_port(). 0, or the errno bind() would give: EADDRINUSE if the kernel has that port, EADDRNOTAVAIL
  /// if the address is none that Braid serves. Claims of one endpoint are counted.
  virtual int claim_port(const wire::Endpoint& local) = 0;
  virtual void release_port(const wire::Endpoint& local) = 0;

  /// The host's path endpoints changed: what comes to those that are announced with a port, comes to Braid
  /// from now on. 0, or the errno of one that cannot be had: EADDRINUSE if the kernel has that port.
  virtual int on_endpoints_changed() = 0;

  /// 0, or the errno that connect() gives at once: ENETUNREACH, EHOSTUNREACH, EACCES ...
  virtual int check_route(const wire::IpAddress& remote) = 0;

  virtual NetworkReport report() = 0;

  virtual const std::string& device_name() const = 0;
};

}  // namespace braid::io
