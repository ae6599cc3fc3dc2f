// A TUN device with addresses of its own, and nothing else changed on the machine: for labs and tests, or
// where somebody routes a network of addresses to Braid.
#pragma once

#include <memory>
#include <string>

#include "io/netlink.h"
#include "io/network.h"
#include "io/tun_device.h"

namespace braid::io {

/// The kernel routes each of config.addresses into the device, and may have kernel_addresses on it. All of it
/// goes when the device does.
class PlainNetwork final : public Network {
 public:
  static Setup<std::unique_ptr<Network>> open(const NetworkConfig& config);
  ~PlainNetwork() override;

  void configure(host::HostConfig& config) const override;
  Setup<void> attach(LiveHost& live) override;
  int claim_port(const wire::Endpoint& local) override;
  void release_port(const wire::Endpoint&) override {}
  int on_endpoints_changed() override { return 0; }  // everything comes to Braid here
  int check_route(const wire::IpAddress& remote) override;
  NetworkReport report() override;
  const std::string& device_name() const override { return device_name_; }

 private:
  explicit PlainNetwork(const NetworkConfig& config) : config_(config) {}
  Setup<void> set_up();

  NetworkConfig config_;
  std::unique_ptr<Netlink> netlink_;
  std::unique_ptr<TunDevice> device_;  // until attached
  std::string device_name_;
};

}  // namespace braid::io
