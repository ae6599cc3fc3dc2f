// The functions this library stands in front of. They go through libc's, not straight to the kernel, so that
// they stay cancellation points and other preloaded libraries keep working.
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <ctime>

namespace braid::shim {

struct RealCalls {
  int (*socket)(int, int, int);
  int (*bind)(int, const sockaddr*, socklen_t);
  int (*listen)(int, int);
  int (*connect)(int, const sockaddr*, socklen_t);
  int (*accept)(int, sockaddr*, socklen_t*);
  int (*accept4)(int, sockaddr*, socklen_t*, int);
  int (*getsockname)(int, sockaddr*, socklen_t*);
  int (*getpeername)(int, sockaddr*, socklen_t*);
  int (*getsockopt)(int, int, int, void*, socklen_t*);
  int (*setsockopt)(int, int, int, const void*, socklen_t);
  int (*epoll_ctl)(int, int, int, epoll_event*);
  int (*shutdown)(int, int);
  int (*ioctl)(int, unsigned long, ...);
  long (*syscall)(long, long, long, long, long, long, long);
  ssize_t (*read)(int, void*, size_t);
  ssize_t (*readv)(int, const iovec*, int);
  ssize_t (*recv)(int, void*, size_t, int);
  ssize_t (*recvfrom)(int, void*, size_t, int, sockaddr*, socklen_t*);
  ssize_t (*recvmsg)(int, msghdr*, int);
  int (*recvmmsg)(int, mmsghdr*, unsigned, int, timespec*);
  ssize_t (*send)(int, const void*, size_t, int);
  ssize_t (*sendto)(int, const void*, size_t, int, const sockaddr*, socklen_t);
  ssize_t (*sendmsg)(int, const msghdr*, int);
  ssize_t (*splice)(int, off64_t*, int, off64_t*, size_t, unsigned);
};

/// Looked up on first use: another library's constructor may call us before our own has run.
const RealCalls& real();
/// The function of that name in the libraries behind this one; null if there is none.
void* look_up(const char* name);

}  // namespace braid::shim
