#include "shim/real_calls.h"

#include <dlfcn.h>

#include <atomic>

namespace braid::shim {

namespace {
RealCalls calls;
std::atomic<bool> is_resolved{false};

template <class Function>
void resolve(Function& function, const char* name) {
  function = reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}
}  // namespace

void* look_up(const char* name) { return dlsym(RTLD_NEXT, name); }

// Two threads may do this at once; they write the same pointers.
const RealCalls& real() {
  if (is_resolved.load(std::memory_order_acquire)) return calls;
  resolve(calls.socket, "socket");
  resolve(calls.bind, "bind");
  resolve(calls.listen, "listen");
  resolve(calls.connect, "connect");
  resolve(calls.accept, "accept");
  resolve(calls.accept4, "accept4");
  resolve(calls.getsockname, "getsockname");
  resolve(calls.getpeername, "getpeername");
  resolve(calls.getsockopt, "getsockopt");
  resolve(calls.setsockopt, "setsockopt");
  resolve(calls.epoll_ctl, "epoll_ctl");
  resolve(calls.read, "read");
  resolve(calls.readv, "readv");
  resolve(calls.recv, "recv");
  resolve(calls.recvfrom, "recvfrom");
  resolve(calls.recvmsg, "recvmsg");
  resolve(calls.recvmmsg, "recvmmsg");
  resolve(calls.shutdown, "shutdown");
  resolve(calls.ioctl, "ioctl");
  resolve(calls.syscall, "syscall");
  resolve(calls.send, "send");
  resolve(calls.sendto, "sendto");
  resolve(calls.sendmsg, "sendmsg");
  resolve(calls.splice, "splice");
  is_resolved.store(true, std::memory_order_release);
  return calls;
}

}  // namespace braid::shim
