#include "shim/braid_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "shim/addresses.h"
#include "shim/control_channel.h"
#include "shim/epoll_registrations.h"
#include "shim/known_sockets.h"
#include "shim/real_calls.h"

namespace braid::shim {

using namespace service;

namespace {

int close_quietly(int fd, int error) {
  syscall(SYS_close, fd);
  errno = error;
  return -1;
}

// A connected pair: ours, and the daemon's with its name.
bool make_pair(uint64_t daemon, int ends[2], SocketName& name) {
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return false;
  name.daemon = daemon;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  for (;;) {
    if (syscall(SYS_getrandom, &name.socket, sizeof(name.socket), 0) != sizeof(name.socket)) break;
    if (name.socket == 0) continue;
    write_name(address.sun_path, name);
    if (real().bind(ends[1], reinterpret_cast<sockaddr*>(&address),
                    offsetof(sockaddr_un, sun_path) + kNameSize) == 0) {
      return true;
    }
    if (errno != EADDRINUSE) break;
  }
  const int error = errno;
  close_quietly(ends[0], error);
  close_quietly(ends[1], error);
  return false;
}

// Moves `from` over `fd`: same number, the flags of what was there. `successor`: the Braid socket it is now.
bool put_in_place(int from, int fd, uint64_t socket, uint64_t successor) {
  const int descriptor_flags = fcntl(fd, F_GETFD);
  const int status_flags = fcntl(fd, F_GETFL);
  static constexpr int kTimeouts[] = {SO_RCVTIMEO, SO_SNDTIMEO};
  for (const int option : kTimeouts) {
    timeval timeout{};
    socklen_t size = sizeof(timeout);
    if (real().getsockopt(fd, SOL_SOCKET, option, &timeout, &size) == 0) {
      real().setsockopt(from, SOL_SOCKET, option, &timeout, size);
    }
  }
  fcntl(from, F_SETFL, status_flags);
  if (dup3(from, fd, (descriptor_flags & FD_CLOEXEC) != 0 ? O_CLOEXEC : 0) < 0) {
    close_quietly(from, errno);
    return false;
  }
  syscall(SYS_close, from);
  register_again(fd, socket, successor);
  forget(socket);
  return true;
}

void replay_options(int fd, const unsigned char* records, uint32_t size) {
  OptionRecord record;
  for (uint32_t at = 0; size - at >= sizeof(record);) {
    memcpy(&record, records + at, sizeof(record));
    at += sizeof(record);
    if (record.size > size - at) return;
    real().setsockopt(fd, record.level, record.name, records + at, record.size);
    at += record.size;
  }
}

}  // namespace

bool identify(int fd, SocketName& name) {
  sockaddr_un address;
  socklen_t size = sizeof(address);
  const int previous = errno;
  const bool has_peer = real().getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  errno = previous;
  constexpr socklen_t kHeader = offsetof(sockaddr_un, sun_path);
  return has_peer && size == kHeader + kNameSize && address.sun_family == AF_UNIX &&
         read_name(address.sun_path, size - kHeader, name);
}

int create(int family, int type, int protocol) {
  uint64_t daemon = 0;
  if (!daemon_id(daemon)) {
    complain();
    errno = ENETDOWN;
    return -1;
  }
  int ends[2];
  SocketName name;
  if (!make_pair(daemon, ends, name)) return -1;
  Request request;
  request.operation = Operation::kCreate;
  request.socket = name.socket;
  request.argument0 = family;
  request.argument1 = protocol;
  const bool is_known = notify(request, nullptr, {ends[0], ends[1]});
  close_quietly(ends[1], errno);
  if (!is_known) return close_quietly(ends[0], ENETDOWN);
  if ((type & SOCK_NONBLOCK) != 0) fcntl(ends[0], F_SETFL, O_RDWR | O_NONBLOCK);
  if ((type & SOCK_CLOEXEC) == 0) fcntl(ends[0], F_SETFD, 0);
  return ends[0];
}

bool turn_into_kernel_socket(int fd, const SocketName& name) {
  Request request;
  request.operation = Operation::kRelease;
  request.socket = name.socket;
  Reply reply;
  unsigned char options[kMaxValue];
  if (!call(request, nullptr, {fd}, reply, options)) return false;
  if (reply.error != 0) {
    errno = reply.error;
    return false;
  }
  const int family = (reply.flags & kIsIpv6) != 0 ? AF_INET6 : AF_INET;
  const int kernel = real().socket(family, SOCK_STREAM | SOCK_CLOEXEC, reply.result);
  if (kernel < 0) return false;
  replay_options(kernel, options, reply.value_size);
  if (reply.local.family != 0) {
    sockaddr_storage local;
    socklen_t size = sizeof(local);
    write_address(reply.local, reinterpret_cast<sockaddr*>(&local), &size);
    if (real().bind(kernel, reinterpret_cast<sockaddr*>(&local), size) != 0) {
      close_quietly(kernel, errno);
      return false;
    }
  }
  return put_in_place(kernel, fd, name.socket, 0);
}

bool give_new_pair(int fd, SocketName& name) {
  uint64_t daemon = 0;
  if (!daemon_id(daemon)) return false;
  int ends[2];
  SocketName fresh;
  if (!make_pair(daemon, ends, fresh)) return false;
  Request request;
  request.operation = Operation::kReplace;
  request.socket = name.socket;
  request.value_size = sizeof(fresh.socket);
  Reply reply;
  const bool is_answered = call(request, &fresh.socket, {fd, ends[1]}, reply);
  const int error = is_answered ? reply.error : errno;
  close_quietly(ends[1], 0);
  if (error != 0) {
    close_quietly(ends[0], error);
    return false;
  }
  const uint64_t previous = name.socket;
  name = fresh;
  return put_in_place(ends[0], fd, previous, fresh.socket);
}

int end_of_stream_error(int fd) {
  // The daemon ends a stream in order by shutting down its side, and stays. Only when it has let go, or the
  // program itself shut down its side too, does the descriptor hang up. Asked first, because a program may
  // have sandboxed itself so that poll() is all that it may still call.
  pollfd state{fd, 0, 0};
  if (poll(&state, 1, 0) == 1 && (state.revents & (POLLHUP | POLLERR)) == 0) return 0;
  SocketName name;
  if (!identify(fd, name)) return 0;
  uint64_t daemon = 0;
  if (!daemon_id(daemon) || daemon != name.daemon) return ECONNRESET;
  Request request;
  request.operation = Operation::kTakeError;
  request.socket = name.socket;
  Reply reply;
  return call(request, nullptr, {fd}, reply) ? reply.result : ECONNRESET;
}

}  // namespace braid::shim
