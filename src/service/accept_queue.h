// A listening socket: connections that the host has established are queued on the daemon's end of it, one
// AcceptRecord with the descriptor each, and accept() is a read. Connections of a kernel listener on the
// loopback address go the same way.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "host/host.h"
#include "io/file_descriptor.h"
#include "io/live_host.h"
#include "service/socket_protocol.h"

namespace braid::service {

class AcceptQueue {
 public:
  /// What to queue for a connection: its record, and the program's end of a new pair.
  struct Offer {
    AcceptRecord record;
    io::FileDescriptor descriptor;
  };
  struct Hooks {
    std::function<std::optional<Offer>(host::ConnectionId)> make_offer;
    std::function<void()> on_closed;  // nobody has the listener any more; the queue may be destroyed in it
  };

  AcceptQueue(io::LiveHost& live, io::FileDescriptor fd, Hooks hooks);
  ~AcceptQueue();  ///< closes the host's listeners
  AcceptQueue(const AcceptQueue&) = delete;
  AcceptQueue& operator=(const AcceptQueue&) = delete;

  void add_listener(host::ListenerId listener) { listeners_.push_back(listener); }
  /// Takes over a listening kernel socket.
  void add_kernel_listener(io::FileDescriptor fd);
  const std::vector<host::ListenerId>& listeners() const { return listeners_; }

  /// `backlog` as listen() has it: connections that may wait, here and in the host.
  void set_backlog(uint32_t backlog);
  /// Queues what the host has, as far as there is room.
  void push();
  int descriptor() const { return fd_.get(); }
  /// Before it goes: our end back.
  io::FileDescriptor take_descriptor();

 private:
  void on_ready(io::Readiness readiness);
  std::optional<Offer> next_offer();
  std::optional<Offer> accept_from_kernel();
  bool send(const Offer& offer);
  void set_full(bool is_full);

  io::LiveHost& live_;
  io::FileDescriptor fd_;
  Hooks hooks_;
  std::vector<host::ListenerId> listeners_;
  std::vector<io::FileDescriptor> kernel_listeners_;
  bool may_have_kernel_connections_ = false;
  std::optional<Offer> held_;  // taken from the host, but the queue was full
  bool is_full_ = false;
};

}  // namespace braid::service
