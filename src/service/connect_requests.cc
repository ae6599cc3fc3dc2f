// connect(): starting one, its outcome, and another try after a failed one.
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "service/address_conversion.h"
#include "service/socket_service.h"

namespace braid::service {

namespace {

Answer failure(int error) {
  Answer answer;
  answer.header.error = error;
  return answer;
}

Answer with_flags(uint32_t flags) {
  Answer answer;
  answer.header.flags = flags;
  return answer;
}

bool polls_writable(int fd) {
  pollfd state{fd, POLLOUT, 0};
  return poll(&state, 1, 0) == 1 && (state.revents & POLLOUT) != 0;
}

// A Unix socket polls as writable while its queue takes less than a quarter of its buffer. The smallest
// buffer needs the least filler.
size_t fill(int program_end) {
  const int smallest = 1;
  setsockopt(program_end, SOL_SOCKET, SO_SNDBUF, &smallest, sizeof(smallest));
  constexpr std::array<std::byte, 1024> kFiller{};
  size_t filled = 0;
  for (int tries = 0; tries < 8 && polls_writable(program_end); ++tries) {
    const ssize_t n = send(program_end, kFiller.data(), kFiller.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) filled += static_cast<size_t>(n);
  }
  return filled;
}

}  // namespace

Answer SocketService::connect(AppSocket& socket, ReceivedRequest& request) {
  const bool wants_record = (request.header.flags & kWantsRecord) != 0;
  if (socket.state == AppSocket::State::kListening) return failure(EISCONN);
  if (socket.state == AppSocket::State::kConnecting) {
    // A blocking connect() that was interrupted and is called again waits for the same outcome.
    if (!wants_record || socket.attempt->wants_record) return failure(EALREADY);
    socket.attempt->wants_record = true;
    return failure(EINPROGRESS);
  }
  if (socket.state != AppSocket::State::kIdle) return connect_again(socket);
  const SocketAddress& address = request.header.address;
  if (address.family == AF_UNSPEC) return {};  // not connected: nothing to dissolve
  if (address.family != (socket.is_ipv6 ? AF_INET6 : AF_INET)) return failure(EAFNOSUPPORT);
  const wire::Endpoint remote = *to_endpoint(address);
  if (socket.is_ipv6 && remote.address.is_v4() && socket.options.is_v6_only()) return failure(ENETUNREACH);
  const bool is_kernels = remote.address.is_loopback() || remote.address.is_unspecified() ||
                          remote.address.is_link_local() || remote.address.is_multicast() ||
                          address.scope != 0;
  if (is_kernels) return with_flags(kUseKernel);
  const PolicyRule* const rule = rule_for(socket, PolicyUse::kConnect, remote);
  if (rule != nullptr && rule->action == PolicyAction::kKernel) return with_flags(kUseKernel);
  if (network_ != nullptr) {
    if (const int error = network_->check_route(remote.address); error != 0) {
      const bool is_unrouted = error == ENETUNREACH || error == EHOSTUNREACH;
      return is_unrouted && settings_.kernel_fallback ? with_flags(kUseKernel) : failure(error);
    }
  }
  return start_connect(socket, request, remote, rule);
}

Answer SocketService::start_connect(AppSocket& socket, ReceivedRequest& request, const wire::Endpoint& remote,
                                    const PolicyRule* rule) {
  host::ConnectOptions options;
  options.connection =
      rule != nullptr && rule->connection ? *rule->connection : live_.host().config().connection;
  const bool may_fast_open = options.connection->fast_open.as_client;
  socket.options.apply(*options.connection);
  if ((request.header.flags & kFastOpen) != 0) options.connection->fast_open.as_client = may_fast_open;
  if (socket.binding != nullptr) options.local = socket.binding->local();
  if (options.local && options.local->address.is_unspecified()) {
    options.local->address = wire::IpAddress::any(remote.address.family());
  }
  const auto connection = live_.host().connect(remote, options, live_.now());
  if (!connection) {
    const bool is_unrouted = connection.error() == host::Error::kNetworkUnreachable;
    return is_unrouted && settings_.kernel_fallback ? with_flags(kUseKernel)
                                                    : failure(host::to_errno(connection.error()));
  }
  socket.connection = *connection;
  by_connection_[*connection] = &socket;
  socket.remote = remote;
  mptcp::Connection* made = live_.host().find(*connection);
  if (made != nullptr) socket.local = made->local();
  if (made != nullptr && made->is_waiting_for_data()) {
    // Fast Open with a cookie: the program writes as if it were connected, and the SYN carries that.
    socket.options.apply_all(*made, live_.now());
    enlarge_buffer(request.socket.get());
    enlarge_buffer(socket.fd.get());
    start_pump(socket);
    return {};
  }
  socket.attempt.emplace();
  socket.attempt->wants_record = (request.header.flags & kWantsRecord) != 0;
  socket.attempt->filler_bytes = fill(request.socket.get());
  socket.attempt->program_end = std::move(request.socket);
  socket.state = AppSocket::State::kConnecting;
  return failure(EINPROGRESS);
}

// connect() on a socket that has been through one: the outcome if nobody was told it yet, then EISCONN, or a
// new attempt.
Answer SocketService::connect_again(AppSocket& socket) {
  const bool owes = std::exchange(socket.owes_connect_result, false);
  if (socket.state == AppSocket::State::kConnected) return failure(owes ? 0 : EISCONN);
  const int error = std::exchange(socket.error, 0);
  return owes && error != 0 ? failure(error) : with_flags(kUseNewPair);
}

Answer SocketService::withdraw(AppSocket& socket) {
  if (socket.state != AppSocket::State::kConnecting) return with_flags(kRecordSent);
  socket.attempt->wants_record = false;
  return {};
}

Answer SocketService::take_error(AppSocket& socket) {
  Answer answer = query(socket);
  answer.header.result =
      socket.state == AppSocket::State::kConnecting ? EINPROGRESS : std::exchange(socket.error, 0);
  return answer;
}

Answer SocketService::replace(AppSocket& socket, ReceivedRequest& request) {
  uint64_t id = 0;
  if (socket.state != AppSocket::State::kFailed || request.value.size() != sizeof(id)) return failure(EINVAL);
  std::memcpy(&id, request.value.data(), sizeof(id));
  if (id == 0 || sockets_.contains(id) || !is_proper_end(request.other, id)) return failure(EINVAL);
  auto node = sockets_.extract(socket.id);
  node.key() = id;
  AppSocket& renewed = *sockets_.insert(std::move(node)).position->second;
  renewed.id = id;
  renewed.state = AppSocket::State::kIdle;
  renewed.error = 0;
  renewed.fd = std::move(request.other);
  watch_idle(renewed);
  return {};
}

}  // namespace braid::service
