// Reading and writing go straight to the kernel's Unix socket. Here is only what differs from TCP: a read
// that finds the end must tell an orderly one from a reset, addresses given or asked for on a connected
// stream, and flags that mean something else there.
#include <errno.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cstdlib>
#include <cstring>

#include "shim/braid_socket.h"
#include "shim/export.h"
#include "shim/real_calls.h"

using namespace braid::shim;

namespace {

ssize_t explain(int fd, ssize_t result) {
  if (result > 0 || (result < 0 && errno != ECONNRESET)) return result;
  const int previous = errno;
  const int error = end_of_stream_error(fd);
  errno = error != 0 ? error : previous;
  return error != 0 ? -1 : result;
}

bool is_braid(int fd) {
  SocketName name;
  return identify(fd, name);
}

// MSG_TRUNC: TCP throws octets away, and leaves the buffer alone (tcp(7)).
constexpr int kForeignReceiveFlags = MSG_OOB | MSG_ERRQUEUE | MSG_TRUNC;
constexpr int kForeignSendFlags = MSG_OOB | MSG_FASTOPEN;

ssize_t throw_away(int fd, size_t size, int flags) {
  char unwanted[16384];
  const size_t most = size < sizeof(unwanted) ? size : sizeof(unwanted);
  const ssize_t n = real().recv(fd, unwanted, most, flags & ~(MSG_TRUNC | MSG_WAITALL));
  return n > 0 || size == 0 ? n : explain(fd, n);
}

// Urgent data is not carried; there is no error queue.
ssize_t receive_foreign(int fd, size_t size, int flags) {
  if ((flags & (MSG_OOB | MSG_ERRQUEUE)) == 0) return throw_away(fd, size, flags);
  errno = (flags & MSG_ERRQUEUE) != 0 ? EAGAIN : EINVAL;
  return -1;
}

size_t size_of(const msghdr& message) {
  size_t size = 0;
  for (size_t i = 0; i < message.msg_iovlen; ++i) size += message.msg_iov[i].iov_len;
  return size;
}

}  // namespace

BRAID_EXPORT ssize_t read(int fd, void* buffer, size_t size) {
  const ssize_t n = real().read(fd, buffer, size);
  return n > 0 || size == 0 ? n : explain(fd, n);
}

BRAID_EXPORT ssize_t readv(int fd, const iovec* parts, int count) {
  const ssize_t n = real().readv(fd, parts, count);
  return n > 0 || count == 0 ? n : explain(fd, n);
}

BRAID_EXPORT ssize_t recv(int fd, void* buffer, size_t size, int flags) {
  if ((flags & kForeignReceiveFlags) != 0 && is_braid(fd)) return receive_foreign(fd, size, flags);
  const ssize_t n = real().recv(fd, buffer, size, flags);
  return n > 0 || size == 0 ? n : explain(fd, n);
}

BRAID_EXPORT ssize_t recvfrom(int fd, void* buffer, size_t size, int flags, sockaddr* address,
                              socklen_t* address_size) {
  const bool is_ours = (address != nullptr || (flags & kForeignReceiveFlags) != 0) && is_braid(fd);
  if (!is_ours) {
    const ssize_t n = real().recvfrom(fd, buffer, size, flags, address, address_size);
    return n > 0 || size == 0 ? n : explain(fd, n);
  }
  if ((flags & kForeignReceiveFlags) != 0) return receive_foreign(fd, size, flags);
  const ssize_t n = real().recvfrom(fd, buffer, size, flags, nullptr, nullptr);
  if (n >= 0 && address_size != nullptr) *address_size = 0;
  return n > 0 || size == 0 ? n : explain(fd, n);
}

BRAID_EXPORT ssize_t recvmsg(int fd, msghdr* message, int flags) {
  const bool has_name = message != nullptr && message->msg_name != nullptr;
  const bool is_ours = (has_name || (flags & kForeignReceiveFlags) != 0) && is_braid(fd);
  if (!is_ours) {
    const ssize_t n = real().recvmsg(fd, message, flags);
    return n != 0 && !(n < 0 && errno == ECONNRESET) ? n : explain(fd, n);
  }
  if ((flags & kForeignReceiveFlags) != 0) return receive_foreign(fd, size_of(*message), flags);
  void* const name = message->msg_name;
  message->msg_name = nullptr;
  const ssize_t n = real().recvmsg(fd, message, flags);
  message->msg_name = name;
  message->msg_namelen = 0;
  return explain(fd, n);
}

// The kernel's goes on after an end of stream, and gives as many messages of no octets as were asked for.
BRAID_EXPORT int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags, timespec* timeout) {
  const int n = real().recvmmsg(fd, messages, count, flags, timeout);
  if (count == 0 || (n > 0 && messages[0].msg_len > 0)) return n;
  return explain(fd, n < 0 ? n : 0) < 0 ? -1 : n;
}

BRAID_EXPORT ssize_t send(int fd, const void* buffer, size_t size, int flags) {
  if ((flags & MSG_OOB) != 0 && is_braid(fd)) {
    errno = EOPNOTSUPP;
    return -1;
  }
  return real().send(fd, buffer, size, flags);
}

BRAID_EXPORT ssize_t sendto(int fd, const void* buffer, size_t size, int flags, const sockaddr* address,
                            socklen_t address_size) {
  if ((address == nullptr && (flags & kForeignSendFlags) == 0) || !is_braid(fd)) {
    return real().sendto(fd, buffer, size, flags, address, address_size);
  }
  if ((flags & MSG_FASTOPEN) != 0 && connect_with_data(fd, address, address_size) != 0) return -1;
  return send(fd, buffer, size, flags & ~MSG_FASTOPEN);
}

BRAID_EXPORT ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  const bool has_name = message != nullptr && message->msg_name != nullptr;
  if ((!has_name && (flags & kForeignSendFlags) == 0) || !is_braid(fd)) {
    return real().sendmsg(fd, message, flags);
  }
  if ((flags & MSG_OOB) != 0) {
    errno = EOPNOTSUPP;
    return -1;
  }
  if ((flags & MSG_FASTOPEN) != 0 &&
      connect_with_data(fd, static_cast<const sockaddr*>(message->msg_name), message->msg_namelen) != 0) {
    return -1;
  }
  msghdr plain = *message;
  plain.msg_name = nullptr;
  plain.msg_namelen = 0;
  return real().sendmsg(fd, &plain, flags & ~MSG_FASTOPEN);
}

BRAID_EXPORT ssize_t splice(int from, off64_t* from_offset, int to, off64_t* to_offset, size_t size,
                            unsigned flags) {
  const ssize_t n = real().splice(from, from_offset, to, to_offset, size, flags);
  return n > 0 || size == 0 ? n : explain(from, n);
}

// What programs compiled with _FORTIFY_SOURCE call. An overflow is caught as glibc catches it.
BRAID_EXPORT ssize_t __read_chk(int fd, void* buffer, size_t size, size_t room) {
  if (size > room) abort();
  return read(fd, buffer, size);
}

BRAID_EXPORT ssize_t __recv_chk(int fd, void* buffer, size_t size, size_t room, int flags) {
  if (size > room) abort();
  return recv(fd, buffer, size, flags);
}

BRAID_EXPORT ssize_t __recvfrom_chk(int fd, void* buffer, size_t size, size_t room, int flags,
                                    sockaddr* address, socklen_t* address_size) {
  if (size > room) abort();
  return recvfrom(fd, buffer, size, flags, address, address_size);
}
