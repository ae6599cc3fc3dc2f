// What programs ask about sockets, connect() excepted.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "braid/socket_options.h"
#include "service/address_conversion.h"
#include "service/socket_service.h"
#include "service/tcp_info.h"

namespace braid::service {

namespace {

constexpr uint16_t kFirstUnprivilegedPort = 1024;

Answer failure(int error) {
  Answer answer;
  answer.header.error = error;
  return answer;
}

Answer use_kernel() {
  Answer answer;
  answer.header.flags = kUseKernel;
  return answer;
}

// Addresses that are the kernel's business, whatever Braid's routes say.
bool is_kernels(const wire::IpAddress& address, uint32_t scope) {
  return address.is_loopback() || address.is_link_local() || address.is_multicast() || scope != 0;
}

template <class T>
std::vector<std::byte> value_of(const T& object) {
  const auto bytes = std::as_bytes(std::span(&object, 1));
  return {bytes.begin(), bytes.end()};
}

}  // namespace

Answer SocketService::handle(ReceivedRequest& request) {
  if (request.header.operation == Operation::kHello) {
    if (request.header.argument0 != kProtocolVersion) return failure(EPROTO);
    Answer answer;
    answer.value = value_of(daemon_id_);
    return answer;
  }
  if (!is_shown(request)) return failure(EBADF);
  if (request.header.operation == Operation::kCreate) return create(request);
  AppSocket* socket = find(request.header.socket);
  if (socket == nullptr && !errors_.contains(request.header.socket)) {
    process_other_channels();
    socket = find(request.header.socket);
  }
  return socket != nullptr ? handle_for(*socket, request) : answer_for_gone(request);
}

Answer SocketService::handle_for(AppSocket& socket, ReceivedRequest& request) {
  switch (request.header.operation) {
    case Operation::kHello:
    case Operation::kCreate:
      break;
    case Operation::kBind:
      return bind(socket, request);
    case Operation::kListen:
      return listen_on(socket, request);
    case Operation::kLoopback:
      if (socket.queue != nullptr && request.other)
        socket.queue->add_kernel_listener(std::move(request.other));
      return {};
    case Operation::kConnect:
      return connect(socket, request);
    case Operation::kWithdraw:
      return withdraw(socket);
    case Operation::kQuery:
      return query(socket);
    case Operation::kTakeError:
      return take_error(socket);
    case Operation::kSetOption:
      return set_option(socket, request);
    case Operation::kGetOption:
      return get_option(socket, request);
    case Operation::kRelease:
      return release(socket);
    case Operation::kReplace:
      return replace(socket, request);
    case Operation::kOutQueue:
      return out_queue(socket, request);
  }
  return failure(EOPNOTSUPP);
}

// The program still has its descriptor, but the connection is over: reset, or closed in both directions.
Answer SocketService::answer_for_gone(const ReceivedRequest& request) {
  const uint64_t id = request.header.socket;
  Answer answer;
  switch (request.header.operation) {
    case Operation::kTakeError:
      if (const auto found = errors_.find(id); found != errors_.end()) {
        answer.header.result = found->second;
        errors_.erase(found);
      }
      return answer;
    case Operation::kWithdraw:
      answer.header.flags = kRecordSent;
      return answer;
    case Operation::kSetOption:
      return answer;
    case Operation::kGetOption:
      answer.header.error =
          SocketOptions().get(request.header.argument0, request.header.argument1, answer.value);
      return answer;
    case Operation::kQuery:
      return failure(ENOTCONN);
    case Operation::kConnect: {
      const auto found = errors_.find(id);
      return failure(found != errors_.end() ? found->second : EISCONN);
    }
    default:
      return failure(EINVAL);
  }
}

// Null: none, and Braid as it was configured.
const PolicyRule* SocketService::rule_for(const AppSocket& socket, PolicyUse use,
                                          const wire::Endpoint& endpoint) const {
  if (policy_ == nullptr || policy_->empty()) return nullptr;
  return policy_->decide(
      {.program = program_of(socket.pid), .uid = socket.uid, .use = use, .endpoint = endpoint});
}

Answer SocketService::create(ReceivedRequest& request) {
  const uint64_t id = request.header.socket;
  if (id == 0 || sockets_.contains(id) || !is_proper_end(request.other, id)) return failure(EINVAL);
  const auto user = sockets_of_user_.find(request.uid);
  if (request.uid != 0 && user != sockets_of_user_.end() && user->second >= most_sockets_of_user_) {
    remember_error(id, ENFILE);
    return failure(ENFILE);
  }
  auto socket = std::make_unique<AppSocket>();
  socket->id = id;
  socket->is_ipv6 = request.header.argument0 == AF_INET6;
  socket->protocol = request.header.argument1;
  socket->pid = request.pid;
  socket->uid = request.uid;
  socket->fd = std::move(request.other);
  watch_idle(insert(std::move(socket)));
  return {};
}

tl::expected<std::shared_ptr<Binding>, int> SocketService::bind_port(const AppSocket& socket,
                                                                     const wire::Endpoint& local) {
  PortTable::Wish wish;
  wish.local = local;
  wish.is_dual = socket.is_ipv6 && local.address.is_v6() && local.address.is_unspecified() &&
                 !socket.options.is_v6_only();
  wish.reuses_address = socket.options.reuses_address();
  wish.reuses_port = socket.options.reuses_port();
  wish.uid = socket.uid;
  auto binding = ports_.bind(wish);
  const bool is_taken = !binding && binding.error() == EADDRINUSE && local.port != 0;
  // A program that closes a socket and binds another at once: its request may come before the news of its
  // close.
  return is_taken && forget_closed_on(local.port) ? ports_.bind(wish) : std::move(binding);
}

// Whether any was. Only sockets that are not connected: those of connections keep their port for a while.
bool SocketService::forget_closed_on(uint16_t port) {
  std::vector<uint64_t> closed;
  for (const auto& [id, socket] : sockets_) {
    if (socket->binding == nullptr || socket->binding->local().port != port) continue;
    const int fd = socket->queue != nullptr ? socket->queue->descriptor() : socket->fd.get();
    pollfd state{fd, 0, 0};
    if (fd >= 0 && poll(&state, 1, 0) == 1 && (state.revents & POLLHUP) != 0) closed.push_back(id);
  }
  for (const uint64_t id : closed) forget(id);
  return !closed.empty();
}

Answer SocketService::bind(AppSocket& socket, const ReceivedRequest& request) {
  if (socket.state != AppSocket::State::kIdle || socket.binding != nullptr) return failure(EINVAL);
  SocketAddress address = request.header.address;
  // bind(2) of AF_UNSPEC with the wildcard address has always been allowed to IPv4 sockets.
  if (address.family == AF_UNSPEC && !socket.is_ipv6) address.family = AF_INET;
  if (address.family != (socket.is_ipv6 ? AF_INET6 : AF_INET)) return failure(EAFNOSUPPORT);
  const std::optional<wire::Endpoint> local = to_endpoint(address);
  if (socket.is_ipv6 && local->address.is_v4() && socket.options.is_v6_only()) return failure(EINVAL);
  if (is_kernels(local->address, address.scope)) return use_kernel();
  // Who binds a port means to listen there; another, to connect from it, is asked about then.
  const PolicyRule* const rule = local->port != 0 ? rule_for(socket, PolicyUse::kListen, *local) : nullptr;
  if (rule != nullptr && rule->action == PolicyAction::kKernel) return use_kernel();
  if (local->port != 0 && local->port < kFirstUnprivilegedPort && request.uid != 0) return failure(EACCES);
  auto binding = bind_port(socket, *local);
  if (!binding) {
    const bool is_elsewhere = binding.error() == EADDRNOTAVAIL && settings_.kernel_fallback;
    return is_elsewhere ? use_kernel() : failure(binding.error());
  }
  socket.binding = std::move(*binding);
  return query(socket);
}

int SocketService::open_listeners(AppSocket& socket, uint32_t backlog) {
  host::ListenOptions options;
  options.backlog = backlog;
  options.reuse_port = socket.binding->reuses_port();
  const PolicyRule* const rule = rule_for(socket, PolicyUse::kListen, socket.binding->local());
  options.connection =
      rule != nullptr && rule->connection ? *rule->connection : live_.host().config().connection;
  socket.options.apply(*options.connection);
  std::vector<wire::Endpoint> endpoints = {socket.binding->local()};
  if (socket.binding->is_dual()) {
    endpoints.push_back({wire::IpAddress::any(wire::Family::kV4), socket.binding->local().port});
  }
  for (const wire::Endpoint& endpoint : endpoints) {
    const auto listener = live_.host().listen(endpoint, options);
    if (!listener) return host::to_errno(listener.error());
    socket.queue->add_listener(*listener);
  }
  for (const host::ListenerId listener : socket.queue->listeners()) by_listener_[listener] = &socket;
  return 0;
}

Answer SocketService::listen_on(AppSocket& socket, const ReceivedRequest& request) {
  // Linux takes a negative backlog as the largest there is.
  const auto backlog = static_cast<uint32_t>(
      request.header.argument0 < 0 ? SOMAXCONN : std::clamp(request.header.argument0, 1, SOMAXCONN));
  if (socket.state == AppSocket::State::kListening) {
    socket.queue->set_backlog(backlog);
    return query(socket);
  }
  if (socket.state != AppSocket::State::kIdle) return failure(EINVAL);
  if (socket.binding == nullptr) {
    auto binding =
        bind_port(socket, {wire::IpAddress::any(socket.is_ipv6 ? wire::Family::kV6 : wire::Family::kV4), 0});
    if (!binding) return failure(binding.error());
    socket.binding = std::move(*binding);
  }
  live_.loop().remove(socket.fd.get());
  AcceptQueue::Hooks hooks;
  hooks.make_offer = [this, id = socket.id](host::ConnectionId c) { return make_offer(id, c); };
  hooks.on_closed = [this, id = socket.id] { forget(id); };
  socket.queue = std::make_unique<AcceptQueue>(live_, std::move(socket.fd), std::move(hooks));
  if (const int error = open_listeners(socket, backlog); error != 0) {
    socket.fd = socket.queue->take_descriptor();
    socket.queue.reset();
    watch_idle(socket);
    return failure(error);
  }
  socket.queue->set_backlog(backlog);
  socket.state = AppSocket::State::kListening;
  socket.binding->set_listening(true);
  Answer answer = query(socket);
  if (socket.binding->local().address.is_unspecified()) answer.header.flags |= kWantsLoopback;
  return answer;
}

Answer SocketService::query(const AppSocket& socket) const {
  Answer answer;
  Reply& reply = answer.header;
  if (socket.is_ipv6) reply.flags |= kIsIpv6;
  if (socket.options.is_v6_only()) reply.flags |= kIsV6Only;
  if (socket.options.reuses_port()) reply.flags |= kReusesPort;
  if (socket.state == AppSocket::State::kListening) reply.flags |= kIsListening;
  const wire::Endpoint nowhere{wire::IpAddress::any(socket.is_ipv6 ? wire::Family::kV6 : wire::Family::kV4),
                               0};
  if (socket.state == AppSocket::State::kConnected) {
    reply.flags |= kIsConnected;
    reply.remote = to_socket_address(socket.remote, socket.is_ipv6);
  }
  const bool has_local =
      socket.state == AppSocket::State::kConnected || socket.state == AppSocket::State::kConnecting;
  const wire::Endpoint local = has_local                   ? socket.local
                               : socket.binding != nullptr ? socket.binding->local()
                                                           : nowhere;
  reply.local = to_socket_address(local, socket.is_ipv6);
  return answer;
}

Answer SocketService::set_option(AppSocket& socket, const ReceivedRequest& request) {
  const int level = request.header.argument0, name = request.header.argument1;
  if (level == IPPROTO_IPV6 && !socket.is_ipv6) return failure(ENOPROTOOPT);
  if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY && socket.binding != nullptr) return failure(EINVAL);
  const uint64_t id = socket.id;
  // An option applies to what is written after it (TCP_CORK!): what was written before goes first.
  if (socket.pump != nullptr) socket.pump->from_program();
  if (find(id) == nullptr) return {};
  if (const int error = socket.options.set(level, name, request.value); error != 0) return failure(error);
  if (level == IPPROTO_TCP && name == TCP_FASTOPEN && socket.queue != nullptr &&
      live_.host().config().connection.fast_open.as_server) {
    for (const host::ListenerId listener : socket.queue->listeners())
      live_.host().set_fast_open(listener, socket.options.fast_open_queue());
  }
  mptcp::Connection* connection = live_.host().find(socket.connection);
  if (connection != nullptr) socket.options.apply(level, name, *connection, live_.now());
  return {};
}

Answer SocketService::get_option(const AppSocket& socket, const ReceivedRequest& request) {
  const int level = request.header.argument0, name = request.header.argument1;
  const mptcp::Connection* connection = live_.host().find(socket.connection);
  Answer answer;
  if (level == SOL_SOCKET) {
    if (name == SO_DOMAIN) answer.value = value_of<int>(socket.is_ipv6 ? AF_INET6 : AF_INET);
    if (name == SO_PROTOCOL)
      answer.value = value_of<int>(socket.protocol != 0 ? socket.protocol : IPPROTO_TCP);
    if (name == SO_ACCEPTCONN) answer.value = value_of<int>(socket.state == AppSocket::State::kListening);
    if (name == SO_COOKIE) answer.value = value_of(socket.id);
  }
  if (level == IPPROTO_TCP && name == TCP_INFO) answer.value = tcp_info_of(connection, socket.state);
  if (level == IPPROTO_TCP && name == TCP_MAXSEG && connection != nullptr) {
    const mptcp::ConnectionInfo info = connection->info();
    if (!info.subflows.empty()) answer.value = value_of<int>(static_cast<int>(info.subflows.front().mss));
  }
  if (!answer.value.empty()) return answer;
  if (level == SOL_MPTCP && name == BRAID_SCHEDULER) {
    mptcp::ConnectionConfig config = live_.host().config().connection;
    socket.options.apply(config);
    const std::string text = connection != nullptr ? connection->info().scheduler : config.scheduler;
    const auto bytes = std::as_bytes(std::span(text.c_str(), text.size() + 1));
    answer.value.assign(bytes.begin(), bytes.end());
    return answer;
  }
  answer.header.error = socket.options.get(level, name, answer.value);
  if (answer.header.error == ENOPROTOOPT && level == IPPROTO_TCP && name == TCP_CONGESTION) {
    const std::string& standard = live_.host().config().connection.congestion_control;
    answer.value.resize(16);
    std::memcpy(answer.value.data(), standard.data(), std::min<size_t>(standard.size(), 15));
    answer.header.error = 0;
  }
  return answer;
}

// What still lies in the Unix socket is on its way, too.
Answer SocketService::out_queue(AppSocket& socket, const ReceivedRequest& request) {
  if (socket.state == AppSocket::State::kListening) return failure(EINVAL);
  Answer answer;
  const mptcp::Connection* connection = live_.host().find(socket.connection);
  if (socket.pump == nullptr || connection == nullptr) return answer;
  int unread = 0;
  ioctl(socket.pump->descriptor(), FIONREAD, &unread);
  const mptcp::ConnectionInfo info = connection->info();
  // A DATA_FIN counts as sent and acknowledged, but not as written.
  const uint64_t done = request.header.argument0 != 0 ? info.sent_bytes : info.acked_bytes;
  const uint64_t left = info.written_bytes - std::min(info.written_bytes, done);
  answer.header.result = static_cast<int32_t>(std::min<uint64_t>(left, INT32_MAX / 2)) + unread;
  return answer;
}

Answer SocketService::release(AppSocket& socket) {
  if (socket.state != AppSocket::State::kIdle && socket.state != AppSocket::State::kFailed) {
    return failure(EINVAL);
  }
  Answer answer = query(socket);
  if (socket.binding == nullptr) answer.header.local = {};
  answer.header.result = socket.protocol;
  answer.value = socket.options.records();
  forget(socket.id);
  return answer;
}

}  // namespace braid::service
