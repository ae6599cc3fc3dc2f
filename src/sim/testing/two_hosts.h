// The usual scene of tests: a client and a server on some paths of one link each, and a bulk transfer.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "sim/network.h"
#include "sim/pattern.h"

namespace braid::sim::testing {

/// Sends `send_bytes` of its pattern, checks the other's, and closes when both ended.
class BulkEnd final : public Application {
 public:
  BulkEnd(HostNode& node, uint64_t send_bytes, uint64_t send_seed, uint64_t receive_seed)
      : node_(node), send_bytes_(send_bytes), outgoing_(send_seed), incoming_(receive_seed) {}

  void listen(const wire::Endpoint& local) {
    listener_ = node_.host().listen(local, {}).value();
    node_.attach(listener_, *this);
  }
  void connect(const wire::Endpoint& remote, Time now) {
    id_ = node_.host().connect(remote, {}, now).value();
    node_.attach(id_, *this);
    node_.settle(now);
  }
  void on_event(const host::Event& event, Time now) override {
    if (event.kind == host::Event::Kind::kAcceptable) {
      id_ = node_.host().accept(listener_);
      node_.attach(id_, *this);
    }
    if (event.what == mptcp::ConnectionEvent::kFailed) has_failed = true;
    progress(now);
  }
  mptcp::Connection* connection() { return node_.host().find(id_); }

  uint64_t sent = 0, received = 0;
  bool is_intact = true, has_failed = false, is_done = false;
  mptcp::ConnectionInfo last_info;
  std::vector<std::byte>* record = nullptr;  // everything received is added to it

 private:
  void progress(Time now) {
    mptcp::Connection* connection = this->connection();
    if (connection == nullptr) return;
    while (connection->has_begun() && sent < send_bytes_) {
      const auto part = std::span(buffer_).first(std::min<uint64_t>(buffer_.size(), send_bytes_ - sent));
      outgoing_.fill(sent, part);
      const size_t taken = connection->send(part, now);
      sent += taken;
      if (taken < part.size()) break;
    }
    if (connection->has_begun() && sent == send_bytes_ && !is_shut_) {
      is_shut_ = true;
      connection->shut_down_send(now);
    }
    while (const size_t n = connection->receive(buffer_, now)) {
      if (!incoming_.matches(received, std::span(buffer_).first(n))) is_intact = false;
      if (record != nullptr)
        record->insert(record->end(), buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(n));
      received += n;
    }
    last_info = connection->info();
    if (is_shut_ && connection->is_end_of_stream() && !is_done) {
      is_done = true;
      node_.host().close(id_, now);
    }
  }

  HostNode& node_;
  uint64_t send_bytes_;
  Pattern outgoing_, incoming_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(32768);
  host::ConnectionId id_ = host::ConnectionId::kNone;
  host::ListenerId listener_ = host::ListenerId::kNone;
  bool is_shut_ = false;
};

inline wire::IpAddress address_of(size_t path, int end, wire::Family family = wire::Family::kV4) {
  if (family == wire::Family::kV4)
    return wire::IpAddress::v4(0xc6336400u + static_cast<uint32_t>(path) * 4 + static_cast<uint32_t>(end));
  return *wire::IpAddress::parse("2001:db8:" + std::to_string(path + 1) + "::" + std::to_string(end));
}

/// Paths side by side: path i joins interface i of the client with interface i of the server.
class TwoHosts {
 public:
  static constexpr uint16_t kPort = 80;

  explicit TwoHosts(const std::vector<LinkConfig>& paths, host::HostConfig config = {}, uint64_t seed = 1,
                    wire::Family family = wire::Family::kV4)
      : network(seed), family_(family) {
    config.paths.limits = {.subflows = 8, .add_addr_accepted = 8};
    client = &network.add_host("client", config);
    server = &network.add_host("server", config);
    for (size_t i = 0; i < paths.size(); ++i) {
      Link& link = network.add_link("path" + std::to_string(i));
      link.configure(Direction::kForward, paths[i], network.now());
      link.configure(Direction::kBackward, paths[i], network.now());
      const auto a = client->add_interface(interface(i, 1), link, Direction::kForward);
      const auto b = server->add_interface(interface(i, 2), link, Direction::kBackward);
      link.connect(client->port(a), server->port(b));
      if (i == 0) continue;
      mptcp::PathEndpoint endpoint;
      endpoint.address = address_of(i, 2, family);
      endpoint.is_signal = true;
      BRAID_CHECK(server->host().add_endpoint(endpoint, network.now()).has_value());
    }
  }
  Link& path(size_t i) { return *network.links()[i]; }

  /// Both ways; the ends' destructors must not come before the network's, so they are kept here.
  void start(uint64_t client_bytes, uint64_t server_bytes) {
    client_end = std::make_unique<BulkEnd>(*client, client_bytes, 1, 2);
    server_end = std::make_unique<BulkEnd>(*server, server_bytes, 2, 1);
    server_end->listen({address_of(0, 2, family_), kPort});
    client_end->connect({address_of(0, 2, family_), kPort}, network.now());
  }
  bool finish(Duration limit = 300s) {
    return network.run_until([&] { return client_end->is_done && server_end->is_done; }, limit);
  }
  bool is_exact(uint64_t client_bytes, uint64_t server_bytes) const {
    return client_end->is_intact && server_end->is_intact && server_end->received == client_bytes &&
           client_end->received == server_bytes && !client_end->has_failed && !server_end->has_failed;
  }

  Network network;
  HostNode* client = nullptr;
  HostNode* server = nullptr;
  std::unique_ptr<BulkEnd> client_end, server_end;

 private:
  host::InterfaceConfig interface(size_t path, int end) const {
    host::InterfaceConfig config;
    config.name = "eth" + std::to_string(path);
    config.addresses = {{address_of(path, end, family_), family_ == wire::Family::kV4 ? 30 : 64}};
    return config;
  }
  wire::Family family_;
};

}  // namespace braid::sim::testing
