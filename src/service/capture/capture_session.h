// A captured namespace: everything in it that leaves by its TUN device ends here. Its TCP is answered by a
// host of our own that takes connections to any address, but a SYN only once the connection that carries it
// on is up; so programs see how connecting really went. UDP and pings go through ordinary sockets.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tl/expected.hpp>

#include "host/host.h"
#include "io/live_host.h"
#include "io/network.h"
#include "relay/kernel_end.h"
#include "relay/relay_set.h"
#include "service/capture/datagram_forwarder.h"
#include "service/capture/echo_forwarder.h"

namespace braid::service {

/// How a connection is to be carried on.
struct CaptureRoute {
  bool uses_kernel = false;  // its TCP, in the daemon's namespace
  /// With Braid; nothing: as the host's others.
  std::optional<mptcp::ConnectionConfig> connection{};
};

struct CaptureSetup {
  /// The resolver of the daemon's namespace that the gateway's port 53 stands for.
  std::optional<wire::Endpoint> resolver{};
  std::string program;  // for messages
  uint32_t uid = 0;
  bool kernel_fallback = true;  // for destinations to which Braid has no route
  std::function<CaptureRoute(const wire::Endpoint& destination)> choose_route;
};

class CaptureSession {
 public:
  /// `outer` and `network` (null: every route is there) outlive it.
  CaptureSession(io::LiveHost& outer, io::Network* network, std::unique_ptr<io::PacketDevice> device,
                 CaptureSetup setup);
  ~CaptureSession();
  CaptureSession(const CaptureSession&) = delete;
  CaptureSession& operator=(const CaptureSession&) = delete;

  /// Connections that are under way, or still have bytes to deliver.
  size_t connection_count() const { return relays_.size() + attempts_.size(); }
  /// The programs have gone: nobody waits for connections that are not up, and those that are come to their
  /// ends.
  void abandon_attempts();
  const CaptureSetup& setup() const { return setup_; }

 private:
  /// A SYN that waits for its outer connection; then the connection that waits for the program's ACK.
  struct Attempt {
    wire::ReceivedPacket syn;
    host::ConnectionId outer = host::ConnectionId::kNone;
    std::unique_ptr<relay::KernelEnd> kernel;
    std::optional<Time> answered_at;
  };
  bool is_for_host(wire::ReceivedPacket& packet);
  bool is_let_in(wire::ReceivedPacket& packet, const PacketView& view);
  void begin(const wire::FourTuple& tuple, wire::ReceivedPacket syn, const PacketView& view);
  int start_outer(const wire::FourTuple& tuple, Attempt& attempt);
  int start_kernel(const wire::FourTuple& tuple, const wire::Endpoint& remote, Attempt& attempt);
  int start_braid(const wire::FourTuple& tuple, Attempt& attempt, const CaptureRoute& route);
  void on_outer_event(const wire::FourTuple& tuple, const host::Event& event);
  void on_kernel_change(const wire::FourTuple& tuple);
  void answer(Attempt& attempt);
  void give_up(const wire::FourTuple& tuple, int error);
  void refuse(const PacketView& syn, int error);
  void accept_from(host::ListenerId listener);
  void join(host::ConnectionId inner, Attempt& attempt, const wire::FourTuple& tuple);
  void drop(Attempt& attempt);
  void sweep();

  io::LiveHost& outer_;
  io::Network* network_;
  CaptureSetup setup_;
  io::LiveHost inner_;
  io::PacketDevice* device_ = nullptr;
  std::optional<Redirection> dns_;
  DatagramForwarder datagrams_;
  EchoForwarder echoes_;
  std::map<wire::FourTuple, Attempt> attempts_;  // as the host has them: local is the destination
  std::set<wire::FourTuple> joined_;
  std::vector<std::unique_ptr<relay::KernelEnd>> dropped_;  // until no call of theirs can be running
  relay::RelaySet relays_;
  io::EventLoop::TimerId sweep_timer_ = 0;
};

}  // namespace braid::service
