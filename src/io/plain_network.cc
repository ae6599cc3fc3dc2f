#include "io/plain_network.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>

#include "io/machine_changes.h"

namespace braid::io {

Setup<std::unique_ptr<Network>> PlainNetwork::open(const NetworkConfig& config) {
  std::unique_ptr<PlainNetwork> network(new PlainNetwork(config));
  auto netlink = Netlink::open();
  if (!netlink) return tl::unexpected(netlink.error());
  network->netlink_ = std::move(*netlink);
  auto device = TunDevice::open(config.device);
  if (!device) return tl::unexpected(device.error());
  network->device_ = std::move(*device);
  network->device_name_ = network->device_->name();
  if (auto done = network->set_up(); !done) return tl::unexpected(done.error());
  return std::unique_ptr<Network>(std::move(network));
}

PlainNetwork::~PlainNetwork() = default;

Setup<void> PlainNetwork::set_up() {
  const int index = device_->index();
  const auto failed = [this](const std::string& what, int error) {
    return tl::unexpected(setup_error(fmt::format("{} on {}", what, device_name_), error));
  };
  // No router solicitations of the kernel's into the device: there is no router at its other end.
  const auto quiet = set_device_sysctl(fmt::format("net/ipv6/conf/{}/addr_gen_mode", device_name_), "1",
                                       "no automatic addresses");
  if (!quiet && std::any_of(config_.addresses.begin(), config_.addresses.end(),
                            [](const auto& a) { return a.address.is_v6(); })) {
    return quiet;
  }
  if (const int error = netlink_->set_mtu(index, config_.mtu)) return failed("Cannot set the MTU", error);
  if (const int error = netlink_->set_link_up(index)) return failed("Cannot set the link up", error);
  for (const host::AddressConfig& own : config_.kernel_addresses) {
    const int error = netlink_->add_address(index, own.address, own.prefix_bits);
    if (error != 0) return failed("Cannot set the address " + own.address.to_string(), error);
  }
  for (const host::AddressConfig& own : config_.addresses) {
    KernelRoute route;
    route.destination = {own.address, own.address.is_v4() ? 32 : 128};
    route.table = RT_TABLE_MAIN;
    route.link_index = index;
    const int error = netlink_->add_route(route);
    if (error != 0) return failed("Cannot route " + own.address.to_string(), error);
  }
  return {};
}

void PlainNetwork::configure(host::HostConfig&) const {}

Setup<void> PlainNetwork::attach(LiveHost& live) {
  host::InterfaceConfig interface;
  interface.name = device_name_;
  interface.mtu = config_.mtu;
  interface.addresses = config_.addresses;
  for (const wire::Family family : {wire::Family::kV4, wire::Family::kV6}) {
    const bool has_family = std::any_of(config_.addresses.begin(), config_.addresses.end(),
                                        [family](const auto& a) { return a.address.family() == family; });
    if (has_family) interface.routes.push_back({.network = wire::IpAddress::any(family), .prefix_bits = 0});
  }
  PacketDevice& device = live.attach(std::move(device_));
  live.add_interface(interface, device);
  for (const host::AddressConfig& own : config_.addresses) {
    if (!config_.auto_endpoints) break;
    mptcp::PathEndpoint endpoint;
    endpoint.address = own.address;
    endpoint.interface = device_name_;
    endpoint.is_subflow = true;
    endpoint.is_signal = true;
    live.host().add_endpoint(endpoint, live.now());
  }
  return {};
}

int PlainNetwork::claim_port(const wire::Endpoint& local) {
  if (local.address.is_unspecified()) return 0;
  const bool is_ours = std::any_of(config_.addresses.begin(), config_.addresses.end(),
                                   [&local](const auto& a) { return a.address == local.address; });
  return is_ours ? 0 : EADDRNOTAVAIL;
}

int PlainNetwork::check_route(const wire::IpAddress& remote) { return netlink_->probe_route(remote); }

NetworkReport PlainNetwork::report() {
  UplinkInfo uplink{.name = device_name_,
                    .kind = "tun",
                    .is_up = true,
                    .mtu = config_.mtu,
                    .addresses = {},
                    .default_routes = {}};
  for (const host::AddressConfig& own : config_.addresses) uplink.addresses.push_back({.address = own});
  for (const wire::Family family : {wire::Family::kV4, wire::Family::kV6}) {
    const bool has_family = std::ranges::any_of(
        config_.addresses, [family](const auto& a) { return a.address.family() == family; });
    if (has_family)
      uplink.default_routes.push_back({.family = family, .gateway = {}, .source = "configured"});
  }
  return {.uplinks = {std::move(uplink)}, .unused = {}, .firewall_chains = {}, .warnings = {}};
}

}  // namespace braid::io
