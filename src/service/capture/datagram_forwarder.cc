#include "service/capture/datagram_forwarder.h"

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "io/socket_address.h"
#include "wire/byte_order.h"

namespace braid::service {

namespace {
constexpr size_t kUdpHeaderSize = 8;
constexpr size_t kLargestDatagram = 65535;
constexpr size_t kMostFlows = 1024;
// RFC 4787, 4.3: no mapping may be forgotten before two minutes without traffic.
constexpr Duration kIdle = 150s, kSweepInterval = 10s;
constexpr int kDatagramsPerTurn = 64;

// What became of datagrams that were sent is told to whoever sent them.
void ask_for_errors(int fd, wire::Family family) {
  const int on = 1;
  if (family == wire::Family::kV4) setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
  if (family == wire::Family::kV6) setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
}
}  // namespace

DatagramForwarder::DatagramForwarder(io::EventLoop& loop, ChunkPool& pool, Send send)
    : loop_(loop), pool_(pool), send_(std::move(send)) {
  sweep_timer_ = loop_.call_at(loop_.now() + kSweepInterval, [this] { sweep(); });
}

DatagramForwarder::~DatagramForwarder() {
  loop_.cancel(sweep_timer_);
  for (const auto& [source, flow] : flows_) loop_.remove(flow.fd.get());
}

void DatagramForwarder::sweep() {
  std::erase_if(flows_, [this](const auto& entry) {
    const bool is_idle = loop_.now() - entry.second.used_at > kIdle;
    if (is_idle) loop_.remove(entry.second.fd.get());
    return is_idle;
  });
  sweep_timer_ = loop_.call_at(loop_.now() + kSweepInterval, [this] { sweep(); });
}

DatagramForwarder::Flow* DatagramForwarder::flow_of(const wire::Endpoint& source) {
  if (const auto known = flows_.find(source); known != flows_.end()) return &known->second;
  if (flows_.size() >= kMostFlows) {
    const auto oldest =
        std::ranges::min_element(flows_, {}, [](const auto& entry) { return entry.second.used_at; });
    loop_.remove(oldest->second.fd.get());
    flows_.erase(oldest);
  }
  io::FileDescriptor fd(socket(source.address.is_v4() ? AF_INET : AF_INET6,
                               SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP));
  if (!fd) return nullptr;
  ask_for_errors(fd.get(), source.address.family());
  const int number = fd.get();
  loop_.add(number, io::Interest::kRead,
            [this, source](io::Readiness readiness) { on_ready(source, readiness); });
  return &flows_.emplace(source, Flow{std::move(fd), loop_.now()}).first->second;
}

void DatagramForwarder::forward(const PacketView& packet) {
  if (packet.payload.size() < kUdpHeaderSize) return;
  const wire::Endpoint source{packet.source, wire::load16(packet.payload.data())};
  const wire::Endpoint destination{packet.destination, wire::load16(packet.payload.data() + 2)};
  if (destination.port == 0 || destination.address.is_multicast()) return;
  Flow* const flow = flow_of(source);
  if (flow == nullptr) return;
  flow->used_at = loop_.now();
  const bool is_redirected = redirection_ && destination == redirection_->inner;
  const wire::Endpoint target = is_redirected ? redirection_->outer : destination;
  const auto data = packet.payload.subspan(kUdpHeaderSize);
  const int fd = flow->fd.get();
  if (target.address.family() != source.address.family()) return;
  const io::KernelAddress address = io::to_kernel_address(target);
  ssize_t sent = -1;
  // An error that an earlier datagram caused is reported by the next call, which then has sent nothing.
  for (int tries = 0; tries < 2 && sent < 0; ++tries) {
    sent = sendto(fd, data.data(), data.size(), MSG_NOSIGNAL, address.get(), address.size);
  }
  if (sent >= 0) return;
  const auto why = unreachable_for(errno);
  if (!why || why == Unreachable::kTooBig) return;  // which is in the queue of errors, with the size
  wire::OutgoingPacket answer = make_unreachable(packet, *why, 0, pool_);
  send_(answer);
}

void DatagramForwarder::on_ready(const wire::Endpoint& source, io::Readiness readiness) {
  const auto found = flows_.find(source);
  if (found == flows_.end()) return;
  const int fd = found->second.fd.get();
  if (readiness.failed) read_errors(source, fd);
  for (int i = 0; i < kDatagramsPerTurn; ++i) {
    ChunkRef chunk = pool_.allocate(kLargestDatagram);
    sockaddr_storage from{};
    socklen_t size = sizeof(from);
    const ssize_t n = recvfrom(fd, chunk->data(), kLargestDatagram, MSG_DONTWAIT,
                               reinterpret_cast<sockaddr*>(&from), &size);
    if (n < 0) break;
    auto peer = io::to_endpoint(from);
    if (!peer) continue;
    if (redirection_ && *peer == redirection_->outer) peer = redirection_->inner;
    // Of a small one not the whole chunk is to be held.
    Slice payload = static_cast<size_t>(n) * 4 < chunk->capacity()
                        ? copy_to_slice(pool_, {chunk->data(), static_cast<size_t>(n)})
                        : Slice(std::move(chunk), 0, static_cast<size_t>(n));
    wire::OutgoingPacket packet = make_datagram(*peer, source, std::move(payload));
    send_(packet);
  }
}

void DatagramForwarder::read_errors(const wire::Endpoint& source, int fd) {
  for (int i = 0; i < kDatagramsPerTurn; ++i) {
    sockaddr_storage to{};
    alignas(cmsghdr) std::array<std::byte, 512> control;
    std::byte unused{};
    iovec part{&unused, sizeof(unused)};
    msghdr message{};
    message.msg_name = &to;
    message.msg_namelen = sizeof(to);
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return;
    auto peer = io::to_endpoint(to);
    const cmsghdr* const header = CMSG_FIRSTHDR(&message);
    if (!peer || header == nullptr) continue;
    sock_extended_err error{};
    std::memcpy(&error, CMSG_DATA(header), sizeof(error));
    const auto why = unreachable_for(static_cast<int>(error.ee_errno));
    if (!why) continue;
    if (redirection_ && *peer == redirection_->outer) peer = redirection_->inner;
    const Slice quoted = quote_datagram(source, *peer, pool_);
    const auto about = view_packet(quoted.bytes());
    if (!about) continue;
    wire::OutgoingPacket answer = make_unreachable(*about, *why, error.ee_info, pool_);
    send_(answer);
  }
}

}  // namespace braid::service
