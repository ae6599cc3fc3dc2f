#include "service/capture/echo_forwarder.h"

#include <netinet/in.h>
#include <sys/socket.h>

// After libc's, which it gives way to.
#include <linux/icmp.h>
#include <netinet/icmp6.h>

#include "io/socket_address.h"
#include "wire/byte_order.h"
#include "wire/checksum.h"

namespace braid::service {

namespace {
constexpr size_t kIcmpHeaderSize = 8, kLargestMessage = 65535;
constexpr size_t kMostAskers = 1024;
constexpr Duration kPatience = 60s;
constexpr int kRepliesPerTurn = 64;

io::FileDescriptor open_v4() {
  io::FileDescriptor fd(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP));
  icmp_filter filter{};
  filter.data = ~(1u << ICMP_ECHOREPLY);
  if (fd) setsockopt(fd.get(), SOL_RAW, ICMP_FILTER, &filter, sizeof(filter));
  return fd;
}

io::FileDescriptor open_v6() {
  io::FileDescriptor fd(socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6));
  icmp6_filter filter;
  ICMP6_FILTER_SETBLOCKALL(&filter);
  ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
  if (fd) setsockopt(fd.get(), IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter));
  return fd;
}
}  // namespace

EchoForwarder::EchoForwarder(io::EventLoop& loop, ChunkPool& pool, Send send)
    : loop_(loop), pool_(pool), send_(std::move(send)), v4_(open_v4()), v6_(open_v6()) {
  if (v4_) loop_.add(v4_.get(), io::Interest::kRead, [this](io::Readiness) { read_v4(); });
  if (v6_) loop_.add(v6_.get(), io::Interest::kRead, [this](io::Readiness) { read_v6(); });
}

EchoForwarder::~EchoForwarder() {
  if (v4_) loop_.remove(v4_.get());
  if (v6_) loop_.remove(v6_.get());
}

void EchoForwarder::forget_old() {
  std::erase_if(askers_,
                [this](const auto& entry) { return loop_.now() - entry.second.asked_at > kPatience; });
}

void EchoForwarder::forward(const PacketView& packet) {
  if (packet.payload.size() < kIcmpHeaderSize || packet.destination.is_multicast()) return;
  const bool is_v4 = packet.source.is_v4();
  const int request = is_v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
  if (wire::load8(packet.payload.data()) != request) return;
  if (askers_.size() >= kMostAskers) forget_old();
  if (askers_.size() >= kMostAskers) return;
  const Question question{packet.destination, wire::load16(packet.payload.data() + 4)};
  askers_[question] = {packet.source, loop_.now()};
  const io::KernelAddress to = io::to_kernel_address({packet.destination, 0});
  // ICMP's checksum stands as it is; that of ICMPv6, over the addresses too, the kernel writes anew.
  sendto(is_v4 ? v4_.get() : v6_.get(), packet.payload.data(), packet.payload.size(), MSG_NOSIGNAL, to.get(),
         to.size);
}

void EchoForwarder::read_v4() {
  for (int i = 0; i < kRepliesPerTurn; ++i) {
    const ChunkRef chunk = pool_.allocate(kLargestMessage);
    const ssize_t n = recv(v4_.get(), chunk->data(), kLargestMessage, 0);
    if (n <= 0) return;
    if (const auto view = view_packet({chunk->data(), static_cast<size_t>(n)}))
      answer(view->source, view->payload);
  }
}

void EchoForwarder::read_v6() {
  for (int i = 0; i < kRepliesPerTurn; ++i) {
    const ChunkRef chunk = pool_.allocate(kLargestMessage);
    sockaddr_storage from{};
    socklen_t size = sizeof(from);
    const ssize_t n =
        recvfrom(v6_.get(), chunk->data(), kLargestMessage, 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (n <= 0) return;
    if (const auto peer = io::to_endpoint(from))
      answer(peer->address, {chunk->data(), static_cast<size_t>(n)});
  }
}

// The machine's own pings are answered here, too: what nobody asked is not ours.
void EchoForwarder::answer(const wire::IpAddress& from, std::span<const std::byte> message) {
  if (message.size() < kIcmpHeaderSize) return;
  const auto asker = askers_.find({from, wire::load16(message.data() + 4)});
  if (asker == askers_.end()) return;
  wire::OutgoingPacket packet = make_icmp(from, asker->second.address, message, pool_);
  send_(packet);
}

}  // namespace braid::service
