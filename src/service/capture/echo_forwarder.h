// Pings of a captured namespace: echo requests go out by raw sockets of the daemon, and their replies back.
#pragma once

#include <compare>
#include <functional>
#include <map>

#include "base/chunk.h"
#include "io/event_loop.h"
#include "io/file_descriptor.h"
#include "service/capture/packets.h"

namespace braid::service {

class EchoForwarder {
 public:
  using Send = std::function<void(wire::OutgoingPacket&)>;
  /// Without CAP_NET_RAW it forwards nothing. `loop` and `pool` outlive it.
  EchoForwarder(io::EventLoop& loop, ChunkPool& pool, Send send);
  ~EchoForwarder();
  EchoForwarder(const EchoForwarder&) = delete;
  EchoForwarder& operator=(const EchoForwarder&) = delete;

  /// An ICMP or ICMPv6 packet of the namespace; what is no echo request is dropped.
  void forward(const PacketView& packet);

 private:
  struct Question {
    wire::IpAddress asked;
    uint16_t identifier = 0;
    auto operator<=>(const Question&) const = default;
  };
  struct Asker {
    wire::IpAddress address;
    Time asked_at;
  };
  void read_v4();
  void read_v6();
  void answer(const wire::IpAddress& from, std::span<const std::byte> message);
  void forget_old();

  io::EventLoop& loop_;
  ChunkPool& pool_;
  Send send_;
  io::FileDescriptor v4_, v6_;
  std::map<Question, Asker> askers_;
};

}  // namespace braid::service
