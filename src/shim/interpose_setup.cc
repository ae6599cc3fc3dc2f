// socket, bind, listen, connect, accept, getsockname, getpeername, epoll_ctl: the calls that name addresses.
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "shim/addresses.h"
#include "shim/braid_socket.h"
#include "shim/control_channel.h"
#include "shim/epoll_registrations.h"
#include "shim/export.h"
#include "shim/known_sockets.h"
#include "shim/real_calls.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

namespace braid::shim {

using namespace service;

namespace {

int fail(int error) {
  errno = error;
  return -1;
}

Request request_for(const SocketName& name, Operation operation) {
  Request request;
  request.operation = operation;
  request.socket = name.socket;
  return request;
}

bool query(int fd, const SocketName& name, KnownSocket& known) {
  if (recall(name.socket, known)) return true;
  Reply reply;
  if (!call(request_for(name, Operation::kQuery), nullptr, {fd}, reply)) return false;
  if (reply.error != 0) {
    errno = reply.error;
    return false;
  }
  known = {name.socket, reply.flags, reply.local, reply.remote};
  if ((reply.flags & (kIsListening | kIsConnected)) != 0) remember(known);
  return true;
}

// A server on the wildcard address is reachable over loopback too, which is the kernel's: a kernel listener
// there feeds the same queue. If the address is taken, it is not: nothing is lost that Braid could give.
void offer_loopback(int socket, const SocketName& name, const Reply& reply, int backlog) {
  const bool is_v6 = (reply.flags & kIsIpv6) != 0;
  const int fd = real().socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return;
  const int on = 1;
  real().setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if ((reply.flags & kReusesPort) != 0) real().setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
  SocketAddress loopback = reply.local;
  loopback.family = is_v6 ? AF_INET6 : AF_INET;
  memset(loopback.bytes, 0, sizeof(loopback.bytes));
  if (is_v6) {
    loopback.bytes[15] = 1;
  } else {
    loopback.bytes[0] = 127, loopback.bytes[3] = 1;
  }
  sockaddr_storage address;
  socklen_t size = sizeof(address);
  write_address(loopback, reinterpret_cast<sockaddr*>(&address), &size);
  if (real().bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 && real().listen(fd, backlog) == 0) {
    notify(request_for(name, Operation::kLoopback), nullptr, {socket, fd});
  }
  syscall(SYS_close, fd);
}

int connect_result(int fd, const SocketName& name) {
  Reply reply;
  if (!call(request_for(name, Operation::kTakeError), nullptr, {fd}, reply)) return fail(ECONNRESET);
  return reply.result == 0 ? 0 : fail(reply.result);
}

// The record comes down the stream itself, so that the wait is a read that the kernel restarts after a
// signal, or not, as it would a connect().
int wait_for_record(int fd, const SocketName& name) {
  ConnectRecord record;
  ssize_t size = real().recv(fd, &record, sizeof(record), MSG_WAITALL);
  if (size < 0 && errno == EINTR) {
    Reply reply;
    if (!call(request_for(name, Operation::kWithdraw), nullptr, {fd}, reply)) return fail(ECONNRESET);
    if ((reply.flags & kRecordSent) == 0) return fail(EINTR);
    size = real().recv(fd, &record, sizeof(record), MSG_DONTWAIT);
  }
  if (size != sizeof(record) || record.magic != kMagic) return connect_result(fd, name);
  if (record.error != 0) {
    connect_result(fd, name);  // it has been told
    return fail(record.error);
  }
  remember({name.socket, kIsConnected, record.local, record.remote});
  return 0;
}

// With a timeout set, connect() is interrupted by signals, and gives EINPROGRESS when the time is up.
int wait_until_writable(int fd, const SocketName& name, const timeval& timeout) {
  pollfd state{fd, POLLOUT, 0};
  const int64_t ms = int64_t{timeout.tv_sec} * 1000 + (timeout.tv_usec + 999) / 1000;
  const int ready = poll(&state, 1, ms > INT32_MAX ? INT32_MAX : static_cast<int>(ms));
  if (ready < 0) return -1;
  return ready == 0 ? fail(EINPROGRESS) : connect_result(fd, name);
}

int connect_braid(int fd, SocketName name, const SocketAddress& remote, const sockaddr* address,
                  socklen_t address_size, uint16_t flags = 0) {
  const bool is_blocking = (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
  timeval timeout{};
  socklen_t size = sizeof(timeout);
  if (is_blocking) real().getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, &size);
  timeval receive_timeout{};
  size = sizeof(receive_timeout);
  if (is_blocking) real().getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &receive_timeout, &size);
  const bool has_timeout = timeout.tv_sec != 0 || timeout.tv_usec != 0;
  const bool has_receive_timeout = receive_timeout.tv_sec != 0 || receive_timeout.tv_usec != 0;
  const bool wants_record = is_blocking && !has_timeout && !has_receive_timeout;
  for (int attempt = 0; attempt < 2; ++attempt) {
    Request request = request_for(name, Operation::kConnect);
    request.address = remote;
    request.flags = flags;
    if (wants_record) request.flags |= kWantsRecord;
    Reply reply;
    if (!call(request, nullptr, {fd}, reply)) return -1;
    if ((reply.flags & kUseKernel) != 0) {
      return turn_into_kernel_socket(fd, name) ? real().connect(fd, address, address_size) : -1;
    }
    if ((reply.flags & kUseNewPair) != 0) {
      if (!give_new_pair(fd, name)) return -1;
      continue;
    }
    if (reply.error != EINPROGRESS && reply.error != 0) return fail(reply.error);
    if (!is_blocking || reply.error == 0) return reply.error == 0 ? 0 : fail(EINPROGRESS);
    if (wants_record) return wait_for_record(fd, name);
    return wait_until_writable(fd, name, has_timeout ? timeout : timeval{INT32_MAX / 1000, 0});
  }
  return fail(ECONNREFUSED);
}

int accept_braid(int fd, const SocketName& name, sockaddr* address, socklen_t* size, int flags) {
  KnownSocket known;
  if (!query(fd, name, known)) return -1;
  if ((known.flags & kIsListening) == 0) return fail(EINVAL);
  AcceptRecord record;
  iovec part{&record, sizeof(record)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  const ssize_t n = real().recvmsg(fd, &message, (flags & SOCK_CLOEXEC) != 0 ? MSG_CMSG_CLOEXEC : 0);
  if (n < 0) return -1;
  if (n != sizeof(record) || record.magic != kMagic) return fail(EINVAL);
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return fail(EMFILE);
  int accepted = -1;
  memcpy(&accepted, CMSG_DATA(header), sizeof(accepted));
  const int status_flags = (flags & SOCK_NONBLOCK) != 0 ? O_RDWR | O_NONBLOCK : O_RDWR;
  if ((flags & SOCK_NONBLOCK) != 0 || record.socket == 0) fcntl(accepted, F_SETFL, status_flags);
  if (record.socket != 0) remember({record.socket, kIsConnected, record.local, record.remote});
  if (address != nullptr) write_address(record.remote, address, size);
  return accepted;
}

}  // namespace

int connect_with_data(int fd, const sockaddr* address, socklen_t size) {
  SocketName name;
  SocketAddress remote;
  if (const int error = read_address(address, size, remote); error != 0) return fail(error);
  if (is_loopback(remote) || !identify(fd, name)) return connect(fd, address, size);
  return connect_braid(fd, name, remote, address, size, kFastOpen);
}

}  // namespace braid::shim

using namespace braid::shim;
using namespace braid::service;

BRAID_EXPORT int socket(int family, int type, int protocol) {
  const int kind = type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK);
  const bool is_tcp = protocol == 0 || protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP;
  if ((family != AF_INET && family != AF_INET6) || kind != SOCK_STREAM || !is_tcp) {
    return real().socket(family, type, protocol);
  }
  return create(family, type, protocol);
}

BRAID_EXPORT int bind(int fd, const sockaddr* address, socklen_t size) {
  SocketName name;
  if (!identify(fd, name)) return real().bind(fd, address, size);
  Request request = request_for(name, Operation::kBind);
  if (const int error = read_address(address, size, request.address); error != 0) return fail(error);
  Reply reply;
  if (!call(request, nullptr, {fd}, reply)) return -1;
  if ((reply.flags & kUseKernel) != 0) {
    return turn_into_kernel_socket(fd, name) ? real().bind(fd, address, size) : -1;
  }
  return reply.error == 0 ? 0 : fail(reply.error);
}

BRAID_EXPORT int listen(int fd, int backlog) {
  SocketName name;
  if (!identify(fd, name)) return real().listen(fd, backlog);
  Request request = request_for(name, Operation::kListen);
  request.argument0 = backlog;
  Reply reply;
  if (!call(request, nullptr, {fd}, reply)) return -1;
  if ((reply.flags & kUseKernel) != 0) {
    return turn_into_kernel_socket(fd, name) ? real().listen(fd, backlog) : -1;
  }
  if (reply.error != 0) return fail(reply.error);
  if ((reply.flags & kWantsLoopback) != 0) {
    const int previous = errno;
    offer_loopback(fd, name, reply, backlog);
    errno = previous;
  }
  return 0;
}

BRAID_EXPORT int connect(int fd, const sockaddr* address, socklen_t size) {
  SocketName name;
  if (!identify(fd, name)) return real().connect(fd, address, size);
  SocketAddress remote;
  if (const int error = read_address(address, size, remote); error != 0) return fail(error);
  if (is_loopback(remote)) {
    return turn_into_kernel_socket(fd, name) ? real().connect(fd, address, size) : -1;
  }
  return connect_braid(fd, name, remote, address, size);
}

BRAID_EXPORT int accept4(int fd, sockaddr* address, socklen_t* size, int flags) {
  SocketName name;
  if (!identify(fd, name)) return real().accept4(fd, address, size, flags);
  if ((flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) != 0) return fail(EINVAL);
  return accept_braid(fd, name, address, size, flags);
}

BRAID_EXPORT int accept(int fd, sockaddr* address, socklen_t* size) {
  SocketName name;
  if (!identify(fd, name)) return real().accept(fd, address, size);
  return accept_braid(fd, name, address, size, 0);
}

BRAID_EXPORT int getsockname(int fd, sockaddr* address, socklen_t* size) {
  SocketName name;
  if (!identify(fd, name)) return real().getsockname(fd, address, size);
  KnownSocket known;
  if (!query(fd, name, known)) return -1;
  write_address(known.local, address, size);
  return 0;
}

BRAID_EXPORT int getpeername(int fd, sockaddr* address, socklen_t* size) {
  SocketName name;
  if (!identify(fd, name)) return real().getpeername(fd, address, size);
  KnownSocket known;
  if (!query(fd, name, known)) return -1;
  if ((known.flags & kIsConnected) == 0) return fail(ENOTCONN);
  write_address(known.remote, address, size);
  return 0;
}

BRAID_EXPORT int epoll_ctl(int epoll, int operation, int fd, epoll_event* event) {
  const int result = real().epoll_ctl(epoll, operation, fd, event);
  SocketName name;
  KnownSocket known;
  // Once it is connected or listens, nothing takes its place any more.
  if (result == 0 && identify(fd, name) && !recall(name.socket, known)) {
    note_registration(epoll, operation, fd, event != nullptr ? *event : epoll_event{}, name.socket);
  }
  return result;
}
