// What applications ask for: listen, accept, connect, close.
#include "host/host_impl.h"

namespace braid::host {

tl::expected<ListenerId, Error> Host::Impl::listen(const wire::Endpoint& local,
                                                   const ListenOptions& options) {
  if (local.address.is_multicast()) return tl::unexpected(Error::kInvalidArgument);
  if (!local.address.is_unspecified() && !network.has_address(local.address)) {
    return tl::unexpected(Error::kAddressNotAvailable);
  }
  wire::Endpoint endpoint = local;
  if (endpoint.port == 0 && !options.takes_any_port) {
    endpoint.port = ports.allocate(local.address, wire::Endpoint{}, [&](uint16_t port) {
      return !listeners.is_taken({local.address, port}, options);
    });
    if (endpoint.port == 0) return tl::unexpected(Error::kAddressInUse);
  }
  Listener* listener = listeners.insert(endpoint, options);
  if (listener == nullptr) return tl::unexpected(Error::kAddressInUse);
  return listener->id;
}

// Connections that nobody accepted go with their listener, by reset (as with the kernel).
Error Host::Impl::close(ListenerId id, Time now) {
  now_ = now;
  if (listeners.remove(id) == nullptr) return Error::kInvalidHandle;
  records.for_each([&](ConnectionRecord& record) {
    using Owner = ConnectionRecord::Owner;
    if (record.listener != id || (record.owner != Owner::kListener && record.owner != Owner::kAcceptQueue)) {
      return;
    }
    record.owner = Owner::kNobody;
    record.listener = ListenerId::kNone;
    record.connection->abort(now);
    mark_dirty(*record.connection);
  });
  return Error::kNone;
}

ConnectionId Host::Impl::accept(ListenerId id) {
  Listener* listener = listeners.find(id);
  if (listener == nullptr || listener->waiting.empty()) return ConnectionId::kNone;
  const ConnectionId accepted = listener->waiting.pop_front();
  ConnectionRecord& record = *records.find(accepted);
  record.owner = ConnectionRecord::Owner::kApplication;
  record.listener = ListenerId::kNone;
  queue_event(record);  // what happened while it waited
  return accepted;
}

bool Host::Impl::is_port_free(const wire::Endpoint& local, const wire::Endpoint& remote) const {
  const wire::FourTuple tuple{local, remote};
  return !demux.contains(tuple) && !time_wait.contains(tuple, now_) && !listeners.is_taken(local, {});
}

uint16_t Host::Impl::allocate_port(const wire::IpAddress& local, const wire::Endpoint& remote) {
  return ports.allocate(local, remote, [&](uint16_t port) { return is_port_free({local, port}, remote); });
}

Error Host::Impl::choose_local(const wire::Endpoint& remote, const ConnectOptions& options,
                               wire::Endpoint& local) {
  if (options.local && !options.local->address.is_unspecified()) {
    local.address = options.local->address;
    if (local.address.family() != remote.address.family()) return Error::kInvalidArgument;
    if (!network.has_address(local.address)) return Error::kAddressNotAvailable;
    if (!network.has_route(local.address, remote.address)) return Error::kNetworkUnreachable;
  } else {
    const std::optional<wire::IpAddress> source = network.select_source(remote.address);
    if (!source) return Error::kNetworkUnreachable;
    local.address = *source;
  }
  local.port = options.local ? options.local->port : 0;
  if (local.port == 0) {
    local.port = allocate_port(local.address, remote);
    return local.port == 0 ? Error::kAddressNotAvailable : Error::kNone;
  }
  if (listeners.is_taken(local, {})) return Error::kAddressInUse;
  return is_port_free(local, remote) ? Error::kNone : Error::kAddressNotAvailable;
}

tl::expected<ConnectionId, Error> Host::Impl::connect(const wire::Endpoint& remote,
                                                      const ConnectOptions& options, Time now) {
  now_ = now;
  if (remote.port == 0 || remote.address.is_unspecified()) return tl::unexpected(Error::kInvalidArgument);
  if (remote.address.is_multicast()) return tl::unexpected(Error::kNetworkUnreachable);
  if (records.size() >= config.max_connections) return tl::unexpected(Error::kNoResources);
  wire::FourTuple tuple;
  tuple.remote = remote;
  if (const Error error = choose_local(remote, options, tuple.local); error != Error::kNone) {
    return tl::unexpected(error);
  }
  ConnectionRecord& record = new_record(ConnectionRecord::Owner::kApplication, ListenerId::kNone);
  creating = &record;
  mptcp::ConnectionConfig chosen = options.connection.value_or(config.connection);
  // A program that names its address wants that one.
  if (options.local && !options.local->address.is_unspecified()) chosen.race_delay = Duration{0};
  auto connection = mptcp::Connection::connect(chosen, *this, tuple, now);
  creating = nullptr;
  if (connection == nullptr) {
    records.remove(record.id);
    return tl::unexpected(Error::kAddressNotAvailable);
  }
  adopt(record, std::move(connection));
  return record.id;
}

ConnectionRecord* Host::Impl::find_open(ConnectionId id) const {
  ConnectionRecord* record = records.find(id);
  return record != nullptr && record->owner == ConnectionRecord::Owner::kApplication ? record : nullptr;
}

Error Host::Impl::release(ConnectionId id, void (mptcp::Connection::*how)(Time), Time now) {
  now_ = now;
  ConnectionRecord* record = find_open(id);
  if (record == nullptr) return Error::kInvalidHandle;
  record->owner = ConnectionRecord::Owner::kNobody;
  record->pending_events = 0;
  (record->connection.get()->*how)(now);
  mark_dirty(*record->connection);
  return Error::kNone;
}

}  // namespace braid::host
