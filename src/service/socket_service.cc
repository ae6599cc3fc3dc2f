#include "service/socket_service.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <unordered_set>

#include <array>
#include <cerrno>
#include <cstring>

#include "io/system_random.h"
#include "service/address_conversion.h"

namespace braid::service {

namespace {

constexpr int kClientBacklog = 256;
constexpr Duration kBindingLinger = 60s;

uint64_t random_id() {
  io::SystemRandom random;
  uint64_t id = 0;
  while (id == 0) id = random.next64();
  return id;
}

size_t descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

socklen_t name_length() { return offsetof(sockaddr_un, sun_path) + kNameSize; }

bool bind_name(int fd, const SocketName& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  write_name(address.sun_path, name);
  return ::bind(fd, reinterpret_cast<const sockaddr*>(&address), name_length()) == 0;
}

// Reads exactly the filler: what the program may have written after it is the stream's.
void drain_filler(int fd, size_t bytes) {
  std::array<std::byte, 4096> unwanted;
  while (bytes > 0) {
    const ssize_t n = recv(fd, unwanted.data(), std::min(bytes, unwanted.size()), MSG_DONTWAIT);
    if (n <= 0) return;
    bytes -= static_cast<size_t>(n);
  }
}

void send_connect_record(const AppSocket& socket, int error) {
  ConnectRecord record;
  record.error = error;
  record.local = to_socket_address(socket.local, socket.is_ipv6);
  record.remote = to_socket_address(socket.remote, socket.is_ipv6);
  send(socket.fd.get(), &record, sizeof(record), MSG_DONTWAIT | MSG_NOSIGNAL);
}

PortTable::Network claims_of(io::Network* network) {
  if (network == nullptr) return {};
  return {[network](const wire::Endpoint& local) { return network->claim_port(local); },
          [network](const wire::Endpoint& local) { network->release_port(local); }};
}

}  // namespace

SocketService::SocketService(io::LiveHost& live, io::Network* network, const SocketSettings& settings)
    : live_(live),
      network_(network),
      settings_(settings),
      daemon_id_(random_id()),
      ports_(claims_of(network), live.host().config().first_ephemeral_port,
             live.host().config().last_ephemeral_port, static_cast<uint16_t>(daemon_id_)),
      most_sockets_of_user_(descriptor_limit() / 2) {
  live_.set_event_handler([this](const host::Event& event) { on_event(event); });
}

SocketService::~SocketService() {
  live_.set_event_handler({});
  live_.loop().cancel(linger_timer_);
  for (const io::FileDescriptor& fd : client_listeners_) live_.loop().remove(fd.get());
  for (const auto& [id, socket] : sockets_) {
    if (socket->fd) live_.loop().remove(socket->fd.get());
  }
  if (!path_.empty()) unlink(path_.c_str());
}

// ---- the processes

io::Setup<void> SocketService::listen(const std::string& path) {
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return tl::unexpected(io::setup_error("the socket path " + path, ENAMETOOLONG, "Use a shorter one."));
  }
  unlink(path.c_str());
  if (auto done = listen_at(path); !done) return done;
  path_ = path;
  // Programs drop privileges after they have started; what they may do is decided per descriptor.
  chmod(path.c_str(), 0666);
  std::string name(kControlNameSize, '\0');
  write_control_name(name.data(), daemon_id_);
  return listen_at(name);
}

io::Setup<void> SocketService::listen_at(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  io::FileDescriptor fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      ::listen(fd.get(), kClientBacklog) != 0) {
    return tl::unexpected(io::setup_error("the programs' socket " + path, errno));
  }
  client_listeners_.push_back(std::move(fd));
  live_.loop().add(
      client_listeners_.back().get(), io::Interest::kRead,
      [this, listener = client_listeners_.back().get()](io::Readiness) { accept_client(listener); });
  return {};
}

void SocketService::accept_client(int listener) {
  closed_clients_.clear();
  io::FileDescriptor fd(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  if (!fd) return;
  ClientChannel::Hooks hooks;
  hooks.handle = [this](ReceivedRequest& request) { return handle(request); };
  hooks.on_closed = [this](ClientChannel& channel) {
    auto node = clients_.extract(&channel);
    closed_clients_.push_back(std::move(node.mapped()));
  };
  auto channel = std::make_unique<ClientChannel>(live_.loop(), std::move(fd), std::move(hooks));
  ClientChannel* key = channel.get();
  clients_.emplace(key, std::move(channel));
}

// A socket may be used by another process before the daemon has read that it was made.
void SocketService::process_other_channels() {
  if (is_processing_others_) return;
  is_processing_others_ = true;
  std::vector<ClientChannel*> channels;
  for (const auto& [channel, owner] : clients_) channels.push_back(channel);
  for (ClientChannel* channel : channels) channel->process();
  is_processing_others_ = false;
}

// ---- the sockets' lives

AppSocket* SocketService::find(uint64_t id) {
  const auto found = sockets_.find(id);
  return found == sockets_.end() ? nullptr : found->second.get();
}

AppSocket& SocketService::insert(std::unique_ptr<AppSocket> socket) {
  ++sockets_of_user_[socket->uid];
  AppSocket& inserted = *socket;
  sockets_.emplace(inserted.id, std::move(socket));
  return inserted;
}

std::optional<SocketService::Owner> SocketService::owner_of(host::ConnectionId connection) const {
  const auto found = by_connection_.find(connection);
  if (found == by_connection_.end()) return std::nullopt;
  return Owner{found->second->pid, found->second->uid};
}

bool SocketService::is_proper_end(const io::FileDescriptor& fd, uint64_t id) const {
  if (!fd) return false;
  sockaddr_un address{};
  socklen_t size = sizeof(address);
  int type = 0;
  socklen_t type_size = sizeof(type);
  SocketName name;
  return getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0 && size == name_length() &&
         read_name(address.sun_path, kNameSize, name) && name.daemon == daemon_id_ && name.socket == id &&
         getsockopt(fd.get(), SOL_SOCKET, SO_TYPE, &type, &type_size) == 0 && type == SOCK_STREAM;
}

// Whoever shows a descriptor whose other end has the socket's name has the socket.
bool SocketService::is_shown(const ReceivedRequest& request) const {
  if (!request.socket) return false;
  sockaddr_un address{};
  socklen_t size = sizeof(address);
  SocketName name;
  return getpeername(request.socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
         address.sun_family == AF_UNIX && size == name_length() &&
         read_name(address.sun_path, kNameSize, name) && name.daemon == daemon_id_ &&
         name.socket == request.header.socket;
}

void SocketService::watch_idle(AppSocket& socket) {
  live_.loop().add(socket.fd.get(), io::Interest::kNone, [this, id = socket.id](io::Readiness readiness) {
    if (readiness.hung_up) forget(id);
  });
}

void SocketService::enlarge_buffer(int fd) const {
  const int bytes = static_cast<int>(settings_.stream_buffer_bytes);
  if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) != 0) {
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
  }
}

void SocketService::start_pump(AppSocket& socket) {
  live_.loop().remove(socket.fd.get());
  socket.state = AppSocket::State::kConnected;
  socket.pump =
      std::make_unique<StreamPump>(live_, std::move(socket.fd), socket.connection,
                                   [this, id = socket.id](StreamPump::End end) { on_program_end(id, end); });
}

void SocketService::on_event(const host::Event& event) {
  if (event.kind == host::Event::Kind::kAcceptable) {
    const auto found = by_listener_.find(event.listener);
    if (found != by_listener_.end()) found->second->queue->push();
    return;
  }
  const auto found = by_connection_.find(event.connection);
  if (found == by_connection_.end()) return;
  AppSocket& socket = *found->second;
  switch (event.what) {
    case mptcp::ConnectionEvent::kEstablished:
      if (socket.state == AppSocket::State::kConnecting) on_connected(socket);
      return;
    case mptcp::ConnectionEvent::kReadable:
    case mptcp::ConnectionEvent::kPeerClosed:
    case mptcp::ConnectionEvent::kClosed:
      if (socket.pump != nullptr) socket.pump->to_program();
      return;
    case mptcp::ConnectionEvent::kWritable:
      if (socket.pump != nullptr) socket.pump->from_program();
      return;
    case mptcp::ConnectionEvent::kFailed: {
      const mptcp::Connection* connection = live_.host().find(event.connection);
      const auto reason = connection != nullptr ? connection->error() : mptcp::ConnectionError::kReset;
      const int error = host::to_errno(host::to_error(reason));
      if (socket.state == AppSocket::State::kConnecting) {
        on_connect_failed(socket, error);
      } else {
        on_connection_failed(socket, error);
      }
      return;
    }
    case mptcp::ConnectionEvent::kAcceptable:
      return;
  }
}

void SocketService::on_connected(AppSocket& socket) {
  if (mptcp::Connection* connection = live_.host().find(socket.connection)) {
    socket.local = connection->local();
    socket.remote = connection->remote();
    socket.options.apply_all(*connection, live_.now());
  }
  // Larger first, so that draining is what wakes the program.
  enlarge_buffer(socket.attempt->program_end.get());
  enlarge_buffer(socket.fd.get());
  if (socket.attempt->wants_record) send_connect_record(socket, 0);
  socket.owes_connect_result = !socket.attempt->wants_record;
  drain_filler(socket.fd.get(), socket.attempt->filler_bytes);
  socket.attempt.reset();
  start_pump(socket);
  socket.pump->to_program();
}

// Our end is closed with the filler unread: the program's then polls as TCP's does after a failed connect,
// POLLERR and POLLHUP.
void SocketService::on_connect_failed(AppSocket& socket, int error) {
  if (socket.attempt->wants_record) send_connect_record(socket, error);
  socket.owes_connect_result = !socket.attempt->wants_record;
  socket.error = error;
  socket.state = AppSocket::State::kFailed;
  live_.loop().remove(socket.fd.get());
  socket.fd.reset();
  socket.attempt.reset();
  by_connection_.erase(socket.connection);
  live_.host().close(socket.connection, live_.now());
  socket.connection = host::ConnectionId::kNone;
  failed_by_age_.push_back(socket.id);
  if (failed_by_age_.size() <= kMostFailed) return;
  const AppSocket* oldest = find(failed_by_age_.front());
  if (oldest != nullptr && oldest->state == AppSocket::State::kFailed) forget(failed_by_age_.front());
  failed_by_age_.pop_front();
}

// What came before the reset may still be read, as in TCP; then the program's end hangs up, and a read that
// finds that asks us for the reason.
void SocketService::on_connection_failed(AppSocket& socket, int error) {
  if (socket.pump != nullptr) socket.pump->to_program();
  remember_error(socket.id, error);
  const host::ConnectionId connection = socket.connection;
  forget(socket.id);
  live_.host().close(connection, live_.now());
}

void SocketService::on_program_end(uint64_t id, StreamPump::End end) {
  const AppSocket* socket = find(id);
  if (socket == nullptr) return;
  const host::ConnectionId connection = socket->connection;
  const bool is_reset = end == StreamPump::End::kAborted || socket->options.resets_on_close();
  forget(id);
  if (is_reset) {
    live_.host().abort(connection, live_.now());
  } else {
    live_.host().close(connection, live_.now());
  }
}

void SocketService::forget(uint64_t id) {
  const auto found = sockets_.find(id);
  if (found == sockets_.end()) return;
  const std::unique_ptr<AppSocket> socket = std::move(found->second);
  sockets_.erase(found);
  if (const auto user = sockets_of_user_.find(socket->uid); --user->second == 0) sockets_of_user_.erase(user);
  by_connection_.erase(socket->connection);
  if (socket->fd) live_.loop().remove(socket->fd.get());
  if (socket->state == AppSocket::State::kConnecting) live_.host().abort(socket->connection, live_.now());
  if (socket->queue != nullptr) {
    for (const host::ListenerId listener : socket->queue->listeners()) by_listener_.erase(listener);
  }
  if (socket->binding == nullptr) return;
  // Connections that it accepted keep the port, but a server that starts again may listen there meanwhile.
  if (socket->state == AppSocket::State::kListening) socket->binding->set_listening(false);
  if (socket->state == AppSocket::State::kConnected) {
    socket->binding->set_in_use_until(live_.now() + kBindingLinger);
  }
  // The listener may go after the last that it accepted, whose packets still have to come to us.
  const bool is_last = socket->binding.use_count() == 1;
  if (is_last && socket->binding->in_use_until() > live_.now()) linger(std::move(socket->binding));
}

void SocketService::linger(std::shared_ptr<Binding> binding) {
  const Time until = binding->in_use_until();
  lingering_.emplace_back(until, std::move(binding));
  if (linger_timer_ == 0) {
    linger_timer_ = live_.loop().call_at(lingering_.front().first, [this] { end_lingering(); });
  }
}

void SocketService::end_lingering() {
  std::unordered_set<uint16_t> ports;
  for (const auto& entry : live_.host().connections()) ports.insert(entry.info.local.port);
  while (!lingering_.empty() && lingering_.front().first <= live_.now()) {
    auto binding = std::move(lingering_.front().second);
    lingering_.pop_front();
    // What its connections have left to send may take as long as it moves.
    if (ports.contains(binding->local().port))
      lingering_.emplace_back(live_.now() + kBindingLinger, std::move(binding));
  }
  linger_timer_ = 0;
  if (lingering_.empty()) return;
  linger_timer_ = live_.loop().call_at(lingering_.front().first, [this] { end_lingering(); });
}

void SocketService::remember_error(uint64_t id, int error) {
  errors_[id] = error;
  errors_by_age_.push_back(id);
  if (errors_by_age_.size() <= kMostErrors) return;
  errors_.erase(errors_by_age_.front());
  errors_by_age_.pop_front();
}

std::optional<AcceptQueue::Offer> SocketService::make_offer(uint64_t listener_id, host::ConnectionId id) {
  const AppSocket* listener = find(listener_id);
  mptcp::Connection* connection = live_.host().find(id);
  int ends[2];
  if (listener == nullptr || connection == nullptr ||
      socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    live_.host().abort(id, live_.now());
    return std::nullopt;
  }
  auto socket = std::make_unique<AppSocket>();
  socket->fd = io::FileDescriptor(ends[0]);
  AcceptQueue::Offer offer;
  offer.descriptor = io::FileDescriptor(ends[1]);
  do socket->id = random_id();
  while (!bind_name(ends[0], {daemon_id_, socket->id}) && errno == EADDRINUSE);
  enlarge_buffer(ends[0]);
  enlarge_buffer(ends[1]);
  socket->is_ipv6 = listener->is_ipv6;
  socket->protocol = listener->protocol;
  socket->pid = listener->pid;
  socket->uid = listener->uid;
  socket->options = listener->options;
  socket->binding = listener->binding;
  socket->connection = id;
  socket->local = connection->local();
  socket->remote = connection->remote();
  socket->options.apply_all(*connection, live_.now());
  offer.record.socket = socket->id;
  offer.record.local = to_socket_address(socket->local, socket->is_ipv6);
  offer.record.remote = to_socket_address(socket->remote, socket->is_ipv6);
  AppSocket& accepted = insert(std::move(socket));
  by_connection_[id] = &accepted;
  start_pump(accepted);
  accepted.pump->to_program();
  return offer;
}

}  // namespace braid::service
