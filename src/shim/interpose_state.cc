// shutdown and ioctl: what a Unix socket would say of itself is not what TCP says.
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdarg>

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

// The kernel knows what lies between program and daemon, and the daemon what lies beyond.
int out_queue(int fd, const SocketName& name, bool is_unsent_only, int* bytes) {
  Request request;
  request.operation = Operation::kOutQueue;
  request.socket = name.socket;
  request.argument0 = is_unsent_only ? 1 : 0;
  Reply reply;
  if (!call(request, nullptr, {fd}, reply)) return -1;
  // The connection may be over, and its socket forgotten: then nothing is on its way any more.
  *bytes = reply.error == 0 ? reply.result : 0;
  return 0;
}

}  // namespace
}  // namespace braid::shim

using namespace braid::shim;
using namespace braid::service;

BRAID_EXPORT int shutdown(int fd, int how) {
  SocketName name;
  if (!identify(fd, name)) return real().shutdown(fd, how);
  Reply reply;
  Request request;
  request.operation = Operation::kQuery;
  request.socket = name.socket;
  const bool is_answered = call(request, nullptr, {fd}, reply);
  // A connection that is over may still be shut down here; who has reset it is told by the next read.
  if (is_answered && reply.error == 0 && (reply.flags & (kIsConnected | kIsListening)) == 0) {
    return fail(ENOTCONN);
  }
  return real().shutdown(fd, how);
}

BRAID_EXPORT int ioctl(int fd, unsigned long request, ...) {
  va_list arguments;
  va_start(arguments, request);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  SocketName name;
  const bool is_about_state = request == SIOCOUTQ || request == SIOCOUTQNSD || request == SIOCATMARK;
  if (!is_about_state || !identify(fd, name)) return real().ioctl(fd, request, argument);
  if (argument == nullptr) return fail(EFAULT);
  if (request != SIOCATMARK) return out_queue(fd, name, request == SIOCOUTQNSD, static_cast<int*>(argument));
  *static_cast<int*>(argument) = 0;  // urgent data is not carried
  return 0;
}
