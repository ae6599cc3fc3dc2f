// UDP of a captured namespace, through ordinary sockets of the daemon: one for each of its endpoints that
// sends, so that what one answers from another address arrives, too (RFC 4787: endpoint-independent mapping
// and filtering).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "base/chunk.h"
#include "io/event_loop.h"
#include "io/file_descriptor.h"
#include "service/capture/packets.h"

namespace braid::service {

/// The gateway's own service: what is sent to `inner` goes to `outer`, and answers come from `inner`.
struct Redirection {
  wire::Endpoint inner, outer;
};

class DatagramForwarder {
 public:
  using Send = std::function<void(wire::OutgoingPacket&)>;
  /// `loop` and `pool` outlive it; `send` takes packets for the namespace.
  DatagramForwarder(io::EventLoop& loop, ChunkPool& pool, Send send);
  ~DatagramForwarder();
  DatagramForwarder(const DatagramForwarder&) = delete;
  DatagramForwarder& operator=(const DatagramForwarder&) = delete;

  void set_redirection(const Redirection& redirection) { redirection_ = redirection; }
  /// A UDP packet of the namespace.
  void forward(const PacketView& packet);
  size_t flow_count() const { return flows_.size(); }

 private:
  struct Flow {
    io::FileDescriptor fd;
    Time used_at;
  };
  Flow* flow_of(const wire::Endpoint& source);
  void on_ready(const wire::Endpoint& source, io::Readiness readiness);
  void read_errors(const wire::Endpoint& source, int fd);
  void sweep();

  io::EventLoop& loop_;
  ChunkPool& pool_;
  Send send_;
  std::optional<Redirection> redirection_;
  std::map<wire::Endpoint, Flow> flows_;
  io::EventLoop::TimerId sweep_timer_ = 0;
};

}  // namespace braid::service
