#include "io/icmp_listener.h"

#include <netinet/in.h>
#include <sys/socket.h>

// After libc's, which it gives way to.
#include <linux/icmp.h>
#include <netinet/icmp6.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace braid::io {

namespace {
constexpr size_t kLargestError =
    2048;  // RFC 4443, 2.4: an error is at most 1280 octets; RFC 1812, 4.3.2.3: 576
constexpr size_t kIpv6HeaderBytes = 40;
constexpr int kErrorsPerRound = 64;

FileDescriptor open_v4() {
  FileDescriptor fd(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP));
  icmp_filter filter{};
  filter.data = ~(1u << ICMP_DEST_UNREACH | 1u << ICMP_TIME_EXCEEDED | 1u << ICMP_PARAMETERPROB);
  if (fd) setsockopt(fd.get(), SOL_RAW, ICMP_FILTER, &filter, sizeof(filter));
  return fd;
}

FileDescriptor open_v6() {
  FileDescriptor fd(socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6));
  if (!fd) return fd;
  icmp6_filter filter;
  ICMP6_FILTER_SETBLOCKALL(&filter);
  for (const int type : {ICMP6_DST_UNREACH, ICMP6_PACKET_TOO_BIG, ICMP6_TIME_EXCEEDED, ICMP6_PARAM_PROB}) {
    ICMP6_FILTER_SETPASS(type, &filter);
  }
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter));
  setsockopt(fd.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
  return fd;
}

// RFC 8200, 3: what the socket took away.
void write_ipv6_header(std::byte* out, const in6_addr& source, const in6_addr& destination, size_t payload) {
  std::memset(out, 0, kIpv6HeaderBytes);
  out[0] = std::byte{0x60};
  out[4] = static_cast<std::byte>(payload >> 8);
  out[5] = static_cast<std::byte>(payload & 0xff);
  out[6] = std::byte{IPPROTO_ICMPV6};
  out[7] = std::byte{64};
  std::memcpy(out + 8, &source, sizeof(source));
  std::memcpy(out + 24, &destination, sizeof(destination));
}
}  // namespace

Setup<std::unique_ptr<IcmpListener>> IcmpListener::open(EventLoop& loop, ChunkPool& pool, Handler handler) {
  std::unique_ptr<IcmpListener> listener(new IcmpListener(loop, pool, std::move(handler)));
  listener->v4_ = open_v4();
  if (!listener->v4_ && (errno == EPERM || errno == EACCES)) {
    return tl::unexpected(setup_error("Cannot listen for ICMP errors", errno, "It takes CAP_NET_RAW."));
  }
  listener->v6_ = open_v6();
  IcmpListener* const self = listener.get();
  if (listener->v4_) loop.add(listener->v4_.get(), Interest::kRead, [self](Readiness) { self->read_v4(); });
  if (listener->v6_) loop.add(listener->v6_.get(), Interest::kRead, [self](Readiness) { self->read_v6(); });
  return listener;
}

IcmpListener::~IcmpListener() {
  loop_.remove(v4_.get());
  loop_.remove(v6_.get());
}

void IcmpListener::read_v4() {
  for (int i = 0; i < kErrorsPerRound; ++i) {
    ChunkRef chunk = pool_.allocate(kLargestError);
    const ssize_t size = recv(v4_.get(), chunk->data(), kLargestError, 0);
    if (size <= 0) return;
    handler_({.bytes = Slice(std::move(chunk), 0, static_cast<size_t>(size))});
  }
}

void IcmpListener::read_v6() {
  for (int i = 0; i < kErrorsPerRound; ++i) {
    ChunkRef chunk = pool_.allocate(kIpv6HeaderBytes + kLargestError);
    sockaddr_in6 source{};
    iovec part = {chunk->data() + kIpv6HeaderBytes, kLargestError};
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(in6_pktinfo))> control;
    msghdr message{};
    message.msg_name = &source;
    message.msg_namelen = sizeof(source);
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t size = recvmsg(v6_.get(), &message, 0);
    if (size <= 0) return;
    const cmsghdr* info = CMSG_FIRSTHDR(&message);
    if (info == nullptr || info->cmsg_type != IPV6_PKTINFO) continue;
    in6_pktinfo destination;
    std::memcpy(&destination, CMSG_DATA(info), sizeof(destination));
    const auto payload = static_cast<size_t>(size);
    write_ipv6_header(chunk->data(), source.sin6_addr, destination.ipi6_addr, payload);
    // The kernel has verified the checksum.
    handler_({.bytes = Slice(std::move(chunk), 0, kIpv6HeaderBytes + payload),
              .checksum = wire::ChecksumState::kValid});
  }
}

}  // namespace braid::io
