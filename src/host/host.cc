#include "host/host.h"

#include <algorithm>
#include <bit>

#include "host/host_impl.h"

namespace braid::host {

namespace {
auto find_endpoint(mptcp::PathConfig& paths, uint8_t id) {
  return std::ranges::find(paths.endpoints, id, &mptcp::PathEndpoint::id);
}

/// The next that is free; 0: none is.
uint8_t free_endpoint_id(mptcp::PathConfig& paths) {
  uint8_t id = 1;
  while (id != 0 && find_endpoint(paths, id) != paths.endpoints.end()) ++id;
  return id;
}
}  // namespace

Host::Impl::Impl(const HostConfig& host_config, RandomSource& random_source, Time now)
    : config(host_config),
      random_bits(random_source),
      paths(host_config.paths),
      demux(random_source),
      tokens(random_source),
      time_wait(random_source, host_config.max_time_wait),
      sequences(random_source),
      cookies(random_source),
      ports(random_source, host_config.first_ephemeral_port, host_config.last_ephemeral_port),
      timers(now),
      now_(now) {
  // 0 is the initial subflow's address, and no endpoint's (RFC 8684, 3.2).
  for (mptcp::PathEndpoint& endpoint : paths.endpoints)
    if (endpoint.id == 0) endpoint.id = free_endpoint_id(paths);
  std::erase_if(paths.endpoints, [](const mptcp::PathEndpoint& endpoint) { return endpoint.id == 0; });
}

Host::Impl::~Impl() {
  // While the tables that connections sign off from are still there.
  dirty.clear();
  records.clear();
}

Host::Host(const HostConfig& config, RandomSource& random, Time now)
    : impl_(std::make_unique<Impl>(config, random, now)) {}
Host::~Host() = default;

// ---- the network below

void Host::Impl::set_interface_up(InterfaceId interface, bool is_up, Time now) {
  now_ = now;
  if (!network.set_up(interface, is_up)) return;
  if (is_up) {
    revive_endpoints_of(interface, now);
    return;
  }
  // A subflow on a dead link only delays the others; but one without others waits for the link's return, as
  // TCP would.
  const std::vector<AddressConfig> addresses = network.find(interface)->config.addresses;
  for_each_connection([&](mptcp::Connection& connection) {
    if (!has_path_beside(connection, interface)) return;
    for (const AddressConfig& a : addresses) connection.on_local_address_removed(a.address, now);
    mark_dirty(connection);
  });
}

bool Host::Impl::has_path_beside(const mptcp::Connection& connection, InterfaceId interface) const {
  if (connection.multipath_state() != mptcp::MultipathState::kEstablished) return false;
  const mptcp::ConnectionInfo info = connection.info();
  return std::any_of(info.subflows.begin(), info.subflows.end(), [&](const mptcp::SubflowInfo& subflow) {
    const Network::Interface* its = network.interface_of(subflow.tuple.local.address);
    return subflow.is_fully_established && its != nullptr && its->is_up && its->id != interface;
  });
}

// A path that returns is to be used at once: path managers hear of its endpoints as if they were new.
void Host::Impl::revive_endpoints_of(InterfaceId interface, Time now) {
  for (const mptcp::PathEndpoint& endpoint : paths.endpoints) {
    const Network::Interface* its = network.interface_of(endpoint.address);
    if (its == nullptr || its->id != interface) continue;
    for_each_connection([&](mptcp::Connection& connection) {
      connection.on_endpoint_added(endpoint, now);
      mark_dirty(connection);
    });
  }
}

void Host::Impl::remove_address(InterfaceId interface, const wire::IpAddress& address, Time now) {
  now_ = now;
  if (!network.remove_address(interface, address)) return;
  for_each_connection([&](mptcp::Connection& connection) {
    connection.on_local_address_removed(address, now);
    mark_dirty(connection);
  });
}

InterfaceId Host::add_interface(const InterfaceConfig& config) { return impl_->network.add(config); }

void Host::set_interface_up(InterfaceId interface, bool is_up, Time now) {
  impl_->set_interface_up(interface, is_up, now);
}

void Host::add_address(InterfaceId interface, const AddressConfig& address, Time now) {
  impl_->now_ = now;
  if (impl_->network.add_address(interface, address)) impl_->revive_endpoints_of(interface, now);
}

void Host::remove_address(InterfaceId interface, const wire::IpAddress& address, Time now) {
  impl_->remove_address(interface, address, now);
}

void Host::set_routes(InterfaceId interface, std::vector<Route> routes, Time now) {
  impl_->now_ = now;
  if (impl_->network.set_routes(interface, std::move(routes))) impl_->revive_endpoints_of(interface, now);
}

void Host::set_mtu(InterfaceId interface, uint32_t mtu) { impl_->network.set_mtu(interface, mtu); }

// ---- paths

tl::expected<uint8_t, Error> Host::Impl::add_endpoint(mptcp::PathEndpoint endpoint, Time now) {
  now_ = now;
  if (endpoint.address.is_unspecified() || endpoint.address.is_multicast()) {
    return tl::unexpected(Error::kInvalidArgument);
  }
  for (const mptcp::PathEndpoint& other : paths.endpoints) {
    if (other.address == endpoint.address && other.port == endpoint.port) {
      return tl::unexpected(Error::kAddressInUse);
    }
  }
  if (endpoint.id == 0) {
    endpoint.id = free_endpoint_id(paths);
    if (endpoint.id == 0) return tl::unexpected(Error::kNoResources);
  } else if (find_endpoint(paths, endpoint.id) != paths.endpoints.end()) {
    return tl::unexpected(Error::kAddressInUse);
  }
  paths.endpoints.push_back(endpoint);
  for_each_connection([&](mptcp::Connection& connection) {
    connection.on_endpoint_added(endpoint, now);
    mark_dirty(connection);
  });
  return endpoint.id;
}

Error Host::Impl::remove_endpoint(uint8_t id, Time now) {
  now_ = now;
  const auto found = find_endpoint(paths, id);
  if (found == paths.endpoints.end()) return Error::kInvalidArgument;
  const mptcp::PathEndpoint endpoint = *found;
  paths.endpoints.erase(found);
  for_each_connection([&](mptcp::Connection& connection) {
    connection.on_endpoint_removed(endpoint, now);
    mark_dirty(connection);
  });
  return Error::kNone;
}

Error Host::Impl::change_endpoint(uint8_t id, bool is_backup, bool is_fullmesh, Time now) {
  now_ = now;
  const auto found = find_endpoint(paths, id);
  if (found == paths.endpoints.end()) return Error::kInvalidArgument;
  found->is_backup = is_backup;
  found->is_fullmesh = is_fullmesh;
  const mptcp::PathEndpoint endpoint = *found;
  for_each_connection([&](mptcp::Connection& connection) {
    connection.on_endpoint_changed(endpoint, now);
    mark_dirty(connection);
  });
  return Error::kNone;
}

tl::expected<uint8_t, Error> Host::add_endpoint(mptcp::PathEndpoint endpoint, Time now) {
  return impl_->add_endpoint(std::move(endpoint), now);
}
Error Host::remove_endpoint(uint8_t id, Time now) { return impl_->remove_endpoint(id, now); }
Error Host::change_endpoint(uint8_t id, bool is_backup, bool is_fullmesh, Time now) {
  return impl_->change_endpoint(id, is_backup, is_fullmesh, now);
}
void Host::set_decision_log(mptcp::DecisionLog* log) { impl_->decisions = log; }
void Host::set_limits(const mptcp::PathLimits& limits) { impl_->paths.limits = limits; }
void Host::set_policy(std::string_view scheduler, std::string_view congestion_control) {
  if (!scheduler.empty()) impl_->config.connection.scheduler = scheduler;
  if (!congestion_control.empty()) impl_->config.connection.congestion_control = congestion_control;
}
const mptcp::PathConfig& Host::path_config() const { return impl_->paths; }

// ---- applications, handle_ and poll_: the work is in applications.cc, receive.cc, transmit.cc

tl::expected<ListenerId, Error> Host::listen(const wire::Endpoint& local, const ListenOptions& options) {
  return impl_->listen(local, options);
}
void Host::set_backlog(ListenerId listener, uint32_t backlog) {
  if (Listener* found = impl_->listeners.find(listener)) found->options.backlog = backlog;
}
std::optional<wire::Endpoint> Host::local_of(ListenerId listener) const {
  const Listener* found = impl_->listeners.find(listener);
  return found == nullptr ? std::nullopt : std::optional(found->local);
}
Error Host::close(ListenerId listener, Time now) { return impl_->close(listener, now); }
ConnectionId Host::accept(ListenerId listener) { return impl_->accept(listener); }
tl::expected<ConnectionId, Error> Host::connect(const wire::Endpoint& remote, const ConnectOptions& options,
                                                Time now) {
  return impl_->connect(remote, options, now);
}
mptcp::Connection* Host::find(ConnectionId id) {
  const ConnectionRecord* record = impl_->find_open(id);
  return record == nullptr ? nullptr : record->connection.get();
}
mptcp::Connection* Host::find_by_token(mptcp::Token token) { return impl_->tokens.find(token); }
Error Host::close(ConnectionId id, Time now) { return impl_->release(id, &mptcp::Connection::close, now); }
Error Host::abort(ConnectionId id, Time now) { return impl_->release(id, &mptcp::Connection::abort, now); }

void Host::receive(InterfaceId interface, const wire::ReceivedPacket& packet, Time now) {
  impl_->receive(interface, packet, now);
}
void Host::advance(Time now) { impl_->advance(now); }
void Host::transmit(HostSink& sink, Time now) { impl_->transmit(sink, now); }
std::optional<Event> Host::poll_event() { return impl_->poll_event(); }
Time Host::next_deadline() const { return impl_->next_deadline(); }

// ---- getters

ChunkPool& Host::chunks() { return impl_->chunk_pool; }
const mptcp::Counters& Host::counters() const { return impl_->all_counters(); }
const HostConfig& Host::config() const { return impl_->config; }
size_t Host::connection_count() const { return impl_->records.size(); }

std::vector<Host::ConnectionEntry> Host::connections() const {
  std::vector<ConnectionEntry> entries;
  entries.reserve(impl_->records.size());
  impl_->records.for_each([&](const ConnectionRecord& record) {
    if (record.connection != nullptr) entries.push_back({record.id, record.connection->info()});
  });
  return entries;
}

std::vector<Host::ListenerEntry> Host::listeners() const {
  std::vector<ListenerEntry> entries;
  impl_->listeners.for_each([&](const Listener& listener) {
    entries.push_back({listener.id, listener.local, listener.options.backlog,
                       static_cast<uint32_t>(listener.waiting.size())});
  });
  return entries;
}

}  // namespace braid::host
