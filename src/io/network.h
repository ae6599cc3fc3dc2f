// How Braid is attached to the machine it runs on: by sharing the addresses of the machine's own uplinks
// (the default; nothing to configure), or by a TUN device with addresses of its own (labs, tests).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "host/host.h"
#include "io/live_host.h"
#include "io/setup_error.h"
#include "wire/address.h"

namespace braid::io {

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
  /// Sharing: whether each address becomes a path endpoint by itself (subflow and signal).
  bool auto_endpoints = true;
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

  virtual const std::string& device_name() const = 0;
};

}  // namespace braid::io
