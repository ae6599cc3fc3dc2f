// getsockopt and setsockopt.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "shim/braid_socket.h"
#include "shim/control_channel.h"
#include "shim/export.h"
#include "shim/real_calls.h"

namespace braid::shim {

using namespace service;

namespace {

int fail(int error) {
  errno = error;
  return -1;
}

// What the kernel's Unix socket does by itself: it is the one that blocks and wakes.
bool is_kernels(int level, int name) {
  if (level != SOL_SOCKET) return false;
  switch (name) {
    case SO_RCVTIMEO:
    case SO_SNDTIMEO:
#if defined(SO_RCVTIMEO_NEW) && SO_RCVTIMEO_NEW != SO_RCVTIMEO
    case SO_RCVTIMEO_NEW:
    case SO_SNDTIMEO_NEW:
#endif
    case SO_RCVLOWAT:
    case SO_TYPE:
    case SO_PEERCRED:
      return true;
    default:
      return false;
  }
}

// Any value that is an int will do for these: no need to wait for the daemon's word.
bool cannot_fail(int level, int name, socklen_t size) {
  if (size < sizeof(int)) return false;
  if (level == SOL_SOCKET) return name == SO_KEEPALIVE || name == SO_REUSEADDR;
  return level == IPPROTO_TCP && (name == TCP_NODELAY || name == TCP_CORK || name == TCP_QUICKACK);
}

int take_error(int fd, const SocketName& name, void* value, socklen_t* size) {
  int kernel_error = 0;
  socklen_t kernel_size = sizeof(kernel_error);
  real().getsockopt(fd, SOL_SOCKET, SO_ERROR, &kernel_error, &kernel_size);
  Request request;
  request.operation = Operation::kTakeError;
  request.socket = name.socket;
  Reply reply;
  uint64_t daemon = 0;
  int error = ECONNRESET;
  if (daemon_id(daemon) && daemon == name.daemon && call(request, nullptr, {fd}, reply)) {
    error = reply.result == EINPROGRESS ? 0 : reply.result;
  }
  if (*size > sizeof(error)) *size = sizeof(error);
  memcpy(value, &error, *size);
  return 0;
}

}  // namespace
}  // namespace braid::shim

using namespace braid::shim;
using namespace braid::service;

BRAID_EXPORT int getsockopt(int fd, int level, int option, void* value, socklen_t* size) {
  SocketName name;
  if (is_kernels(level, option) || !identify(fd, name)) {
    return real().getsockopt(fd, level, option, value, size);
  }
  if (value == nullptr || size == nullptr) return fail(EFAULT);
  if (level == SOL_SOCKET && option == SO_ERROR) return take_error(fd, name, value, size);
  Request request;
  request.operation = Operation::kGetOption;
  request.socket = name.socket;
  request.argument0 = level;
  request.argument1 = option;
  Reply reply;
  unsigned char answer[kMaxValue];
  if (!call(request, nullptr, {fd}, reply, answer)) return -1;
  if (reply.error != 0) return fail(reply.error);
  if (*size > reply.value_size) *size = reply.value_size;
  memcpy(value, answer, *size);
  return 0;
}

BRAID_EXPORT int setsockopt(int fd, int level, int option, const void* value, socklen_t size) {
  SocketName name;
  if (is_kernels(level, option) || !identify(fd, name)) {
    return real().setsockopt(fd, level, option, value, size);
  }
  if (value == nullptr && size > 0) return fail(EFAULT);
  Request request;
  request.operation = Operation::kSetOption;
  request.socket = name.socket;
  request.argument0 = level;
  request.argument1 = option;
  request.value_size = size < kMaxOptionSize ? size : kMaxOptionSize;
  if (cannot_fail(level, option, size)) return notify(request, value, {fd}) ? 0 : -1;
  Reply reply;
  if (!call(request, value, {fd}, reply)) return -1;
  return reply.error == 0 ? 0 : fail(reply.error);
}
