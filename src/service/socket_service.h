// The programs' side of the daemon: their sockets, and what they ask about them, on top of a live Host.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "io/live_host.h"
#include "io/network.h"
#include "io/setup_error.h"
#include "service/app_socket.h"
#include "service/client_channel.h"
#include "service/config.h"
#include "service/port_table.h"
#include "service/socket_protocol.h"

namespace braid::service {

class SocketService {
 public:
  /// `live` outlives the service, which takes its event handler. `network`: null when the host has no
  /// network of this machine below it (tests); it outlives the service then, too.
  SocketService(io::LiveHost& live, io::Network* network, const SocketSettings& settings);
  ~SocketService();
  SocketService(const SocketService&) = delete;
  SocketService& operator=(const SocketService&) = delete;

  /// Serves programs at this path, which may be there from an earlier daemon.
  io::Setup<void> listen(const std::string& path);

  /// Which connections are Braid's, and how: asked for each. Outlives the service.
  void set_policy(const Policy* policy) { policy_ = policy; }
  /// Who has bound what; others of the daemon that listen share it.
  PortTable& ports() { return ports_; }
  uint64_t daemon_id() const { return daemon_id_; }
  size_t socket_count() const { return sockets_.size(); }
  struct Owner {
    pid_t pid = 0;
    uint32_t uid = 0;
  };
  /// Whose connection that is; nothing for one that its program has closed.
  std::optional<Owner> owner_of(host::ConnectionId connection) const;

 private:
  // ---- requests (socket_requests.cc, connect_requests.cc)
  Answer handle(ReceivedRequest& request);
  Answer handle_for(AppSocket& socket, ReceivedRequest& request);
  Answer create(ReceivedRequest& request);
  Answer bind(AppSocket& socket, const ReceivedRequest& request);
  Answer listen_on(AppSocket& socket, const ReceivedRequest& request);
  int open_listeners(AppSocket& socket, uint32_t backlog);
  Answer connect(AppSocket& socket, ReceivedRequest& request);
  Answer connect_again(AppSocket& socket);
  Answer start_connect(AppSocket& socket, ReceivedRequest& request, const wire::Endpoint& remote,
                       const PolicyRule* rule);
  Answer withdraw(AppSocket& socket);
  Answer query(const AppSocket& socket) const;
  Answer take_error(AppSocket& socket);
  Answer out_queue(AppSocket& socket, const ReceivedRequest& request);
  Answer set_option(AppSocket& socket, const ReceivedRequest& request);
  Answer get_option(const AppSocket& socket, const ReceivedRequest& request);
  Answer release(AppSocket& socket);
  Answer replace(AppSocket& socket, ReceivedRequest& request);
  const PolicyRule* rule_for(const AppSocket& socket, PolicyUse use, const wire::Endpoint& endpoint) const;
  Answer answer_for_gone(const ReceivedRequest& request);
  tl::expected<std::shared_ptr<Binding>, int> bind_port(const AppSocket& socket, const wire::Endpoint& local);
  bool forget_closed_on(uint16_t port);

  // ---- the sockets' lives (socket_service.cc)
  void on_event(const host::Event& event);
  void on_connected(AppSocket& socket);
  void on_connect_failed(AppSocket& socket, int error);
  void on_connection_failed(AppSocket& socket, int error);
  void on_program_end(uint64_t id, StreamPump::End end);
  std::optional<AcceptQueue::Offer> make_offer(uint64_t listener_id, host::ConnectionId connection);
  bool is_proper_end(const io::FileDescriptor& fd, uint64_t id) const;
  bool is_shown(const ReceivedRequest& request) const;
  AppSocket* find(uint64_t id);
  AppSocket& insert(std::unique_ptr<AppSocket> socket);
  void watch_idle(AppSocket& socket);
  void start_pump(AppSocket& socket);
  void forget(uint64_t id);
  void remember_error(uint64_t id, int error);
  void enlarge_buffer(int fd) const;
  void linger(std::shared_ptr<Binding> binding);
  void end_lingering();

  // ---- the processes
  void accept_client(int listener);
  void process_other_channels();
  io::Setup<void> listen_at(const std::string& path);

  io::LiveHost& live_;
  io::Network* network_;
  SocketSettings settings_;
  const Policy* policy_ = nullptr;
  uint64_t daemon_id_ = 0;
  std::string path_;
  std::vector<io::FileDescriptor> client_listeners_;  // path and abstract name
  std::unordered_map<ClientChannel*, std::unique_ptr<ClientChannel>> clients_;
  std::vector<std::unique_ptr<ClientChannel>> closed_clients_;  // until no call of theirs can be running
  bool is_processing_others_ = false;

  PortTable ports_;
  std::unordered_map<uint64_t, std::unique_ptr<AppSocket>> sockets_;
  // Descriptors are the daemon's scarce good: one user other than root may have half of them.
  size_t most_sockets_of_user_;
  std::unordered_map<uint32_t, size_t> sockets_of_user_;
  std::unordered_map<host::ConnectionId, AppSocket*> by_connection_;
  std::unordered_map<host::ListenerId, AppSocket*> by_listener_;

  // Of closed connections: their last packets still have to come to us, not to the kernel.
  std::deque<std::pair<Time, std::shared_ptr<Binding>>> lingering_;
  io::EventLoop::TimerId linger_timer_ = 0;

  // Errors of sockets that are gone, for programs that have not asked yet, and failed connects that may be
  // tried again. When they are too many the oldest goes: it was most likely closed unasked.
  static constexpr size_t kMostErrors = 16384, kMostFailed = 4096;
  std::unordered_map<uint64_t, int> errors_;
  std::deque<uint64_t> errors_by_age_, failed_by_age_;
};

}  // namespace braid::service
