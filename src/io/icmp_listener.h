// ICMP errors about packets from shared addresses go to the kernel, not to the TUN device; raw sockets read
// them there too, and hand them to the host.
#pragma once

#include <functional>
#include <memory>

#include "io/event_loop.h"
#include "io/setup_error.h"
#include "wire/packet.h"

namespace braid::io {

class IcmpListener {
 public:
  /// Called with whole IP packets; an IPv6 header is put before what an ICMPv6 socket gives.
  using Handler = std::function<void(const wire::ReceivedPacket&)>;

  /// A family that the kernel lacks is left out. Needs CAP_NET_RAW.
  static Setup<std::unique_ptr<IcmpListener>> open(EventLoop& loop, ChunkPool& pool, Handler handler);
  ~IcmpListener();
  IcmpListener(const IcmpListener&) = delete;
  IcmpListener& operator=(const IcmpListener&) = delete;

 private:
  IcmpListener(EventLoop& loop, ChunkPool& pool, Handler handler)
      : loop_(loop), pool_(pool), handler_(std::move(handler)) {}
  void read_v4();
  void read_v6();

  EventLoop& loop_;
  ChunkPool& pool_;
  Handler handler_;
  FileDescriptor v4_, v6_;
};

}  // namespace braid::io
