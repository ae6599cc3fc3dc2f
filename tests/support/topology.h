// The usual scene: a client with several uplinks, a server with one address per family on a perfect link.
#pragma once

#include <cstdlib>
#include <string>
#include <vector>

#include "support/transfer.h"
#include "support/virtual_network.h"

namespace braid::test {

inline wire::IpAddress client_address(size_t path, wire::Family family = wire::Family::kV4) {
  if (family == wire::Family::kV4) {
    return wire::IpAddress::v4(0xc6336401u + static_cast<uint32_t>(path) * 16);  // 198.51.100.(16 path + 1)
  }
  return *wire::IpAddress::parse("2001:db8:" + std::to_string(path + 1) + "::1");
}
inline wire::IpAddress server_address(wire::Family family = wire::Family::kV4) {
  return family == wire::Family::kV4 ? wire::IpAddress::v4(0xcb007101)  // 203.0.113.1
                                     : *wire::IpAddress::parse("2001:db8:ff::1");
}

struct TopologyOptions {
  std::vector<LinkConfig> paths = {LinkConfig{}};  // both directions of each of the client's uplinks
  wire::Family family = wire::Family::kV4;
  wire::OffloadSupport offload = wire::OffloadSupport::kNone;
  host::HostConfig client, server;
  /// Endpoints for the client's second and further uplinks, so that it opens subflows there.
  bool has_endpoints = true;
  uint64_t seed = 1;
};

class Topology {
 public:
  static constexpr uint16_t kPort = 4433;

  explicit Topology(TopologyOptions options = {}) : options_(std::move(options)), network(options_.seed) {
    options_.client.paths.limits.subflows = options_.server.paths.limits.subflows = 8;
    if (const char* path = std::getenv("BRAID_TEST_CAPTURE")) network.capture(path);
    client = &network.add_node("client", options_.client);
    server = &network.add_node("server", options_.server);
    for (size_t i = 0; i < options_.paths.size(); ++i) add_uplink(i, options_.paths[i]);
    host::InterfaceConfig config;
    config.name = "eth0";
    config.offload = options_.offload;
    config.addresses = {{server_address(options_.family), options_.family == wire::Family::kV4 ? 24 : 64}};
    config.routes = {{wire::IpAddress::any(options_.family), 0, 0}};
    server->add_interface(config);
  }

  wire::Endpoint server_endpoint(uint16_t port = kPort) const {
    return {server_address(options_.family), port};
  }
  /// Connects and attaches a Transfer; the connection must be possible.
  std::unique_ptr<Transfer> connect(const TransferOptions& options,
                                    host::ConnectOptions connect_options = {}) {
    const auto id = client->host().connect(server_endpoint(), connect_options, network.now());
    BRAID_CHECK(id.has_value());
    auto transfer = std::make_unique<Transfer>(*client, *id, options);
    transfer->on_wake(network.now());  // with Fast Open there may be something to send at once
    network.settle();
    return transfer;
  }
  void cut(size_t path) { client->cut(static_cast<host::InterfaceId>(path)); }
  void restore(size_t path) { client->restore(static_cast<host::InterfaceId>(path)); }

  void add_uplink(size_t path, const LinkConfig& link) {
    host::InterfaceConfig config;
    config.name = "uplink" + std::to_string(path);
    config.offload = options_.offload;
    const wire::IpAddress address = client_address(path, options_.family);
    config.addresses = {{address, options_.family == wire::Family::kV4 ? 28 : 64}};
    config.routes = {{wire::IpAddress::any(options_.family), 0, static_cast<uint32_t>(path)}};
    client->add_interface(config, link, link);
    if (path == 0 || !options_.has_endpoints) return;
    mptcp::PathEndpoint endpoint;
    endpoint.address = address;
    endpoint.is_subflow = true;
    BRAID_CHECK(client->host().add_endpoint(endpoint, network.now()).has_value());
  }

 private:
  TopologyOptions options_;

 public:
  VirtualNetwork network;
  Node* client = nullptr;
  Node* server = nullptr;
};

/// 100 Mbit/s, 20 ms there and back.
inline LinkConfig broadband() {
  LinkConfig link;
  link.bits_per_second = 100'000'000;
  link.delay = 10ms;
  return link;
}

}  // namespace braid::test
