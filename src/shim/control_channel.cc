#include "shim/control_channel.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace braid::shim {

using namespace service;

namespace {

// All of this is one process's; `mutex` guards it. Raw system calls throughout: they are neither cancellation
// points nor intercepted by us.
struct Channel {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  int fd = -1;
  pid_t owner = 0;
  dev_t device = 0;
  ino_t inode = 0;
  uint64_t daemon = 0;  // the last known one, kept when the connection is lost
  bool has_complained = false;
  char path[sizeof(sockaddr_un::sun_path)] = {};
};
Channel channel;

// A signal handler may use sockets; it must not find the mutex held by its own thread.
class Exclusive {
 public:
  Exclusive() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &previous_);
    pthread_mutex_lock(&channel.mutex);
  }
  ~Exclusive() {
    pthread_mutex_unlock(&channel.mutex);
    pthread_sigmask(SIG_SETMASK, &previous_, nullptr);
  }
  Exclusive(const Exclusive&) = delete;
  Exclusive& operator=(const Exclusive&) = delete;

 private:
  sigset_t previous_;
};

sigset_t mask_before_fork;
void lock_for_fork() {
  sigset_t all, previous;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &previous);
  pthread_mutex_lock(&channel.mutex);
  mask_before_fork = previous;
}
void unlock_after_fork() {
  const sigset_t previous = mask_before_fork;
  pthread_mutex_unlock(&channel.mutex);
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
}

// The environment is read at start: programs overwrite it (setproctitle) or clear it.
__attribute__((constructor)) void prepare() {
  const char* path = getenv("BRAID_SOCKET");
  if (path == nullptr || *path == '\0') path = "/run/braid/braid.sock";
  snprintf(channel.path, sizeof(channel.path), "%s%s", path, kApplicationSuffix);
  pthread_atfork(lock_for_fork, unlock_after_fork, unlock_after_fork);
}

bool is_still_ours() {
  struct stat status;
  return channel.fd >= 0 && channel.owner == getpid() && syscall(SYS_fstat, channel.fd, &status) == 0 &&
         status.st_dev == channel.device && status.st_ino == channel.inode;
}

void drop() {
  if (is_still_ours()) syscall(SYS_close, channel.fd);
  channel.fd = -1;
}

// Out of the way of programs that count on low numbers, and of those that close the first so many.
int move_up(int fd) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t top = limit.rlim_cur < 1024 ? limit.rlim_cur : 1024;
  const int moved = top > 64 ? static_cast<int>(syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, top - 24)) : -1;
  if (moved < 0) return fd;
  syscall(SYS_close, fd);
  return moved;
}

bool send_message(const Request& request, const void* value, const Enclosed& enclosed) {
  iovec parts[2] = {{const_cast<Request*>(&request), sizeof(request)},
                    {const_cast<void*>(value), request.value_size}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = request.value_size > 0 ? 2 : 1;
  const int descriptors[2] = {enclosed.socket, enclosed.other};
  const size_t bytes = sizeof(int) * (enclosed.socket < 0 ? 0 : enclosed.other < 0 ? 1 : 2);
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(descriptors))] = {};
  if (bytes > 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(bytes);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(bytes);
    memcpy(CMSG_DATA(header), descriptors, bytes);
  }
  return syscall(SYS_sendmsg, channel.fd, &message, MSG_NOSIGNAL) > 0;
}

bool receive_message(Reply& reply, void* value) {
  char unwanted[kMaxValue];
  iovec parts[2] = {{&reply, sizeof(reply)}, {value != nullptr ? value : unwanted, kMaxValue}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  const auto size = syscall(SYS_recvmsg, channel.fd, &message, 0);
  return size >= static_cast<long>(sizeof(reply)) && reply.magic == kMagic && reply.value_size <= kMaxValue &&
         size == static_cast<long>(sizeof(reply) + reply.value_size);
}

bool connect_to(const sockaddr_un& address, socklen_t size) {
  const int fd = static_cast<int>(syscall(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (fd < 0) return false;
  if (syscall(SYS_connect, fd, &address, size) != 0) {
    syscall(SYS_close, fd);
    return false;
  }
  channel.fd = move_up(fd);
  channel.owner = getpid();
  struct stat status;
  syscall(SYS_fstat, channel.fd, &status);
  channel.device = status.st_dev;
  channel.inode = status.st_ino;
  Request hello;
  hello.argument0 = kProtocolVersion;
  Reply reply;
  unsigned char value[kMaxValue];
  if (!send_message(hello, nullptr, {}) || !receive_message(reply, value) || reply.error != 0 ||
      reply.value_size != sizeof(channel.daemon)) {
    drop();
    return false;
  }
  memcpy(&channel.daemon, value, sizeof(channel.daemon));
  return true;
}

bool open_channel() {
  if (is_still_ours()) return true;
  channel.fd = -1;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, channel.path, sizeof(channel.path));
  if (connect_to(address, sizeof(address))) return true;
  if (channel.daemon != 0) {
    write_control_name(address.sun_path, channel.daemon);
    if (connect_to(address, offsetof(sockaddr_un, sun_path) + kControlNameSize)) return true;
  }
  errno = ENETDOWN;
  return false;
}

// A connection that turns out dead is opened again once: the daemon may have been restarted.
bool exchange(const Request& request, const void* value, const Enclosed& enclosed, Reply* reply,
              void* reply_value) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (!open_channel()) return false;
    if (send_message(request, value, enclosed) &&
        (reply == nullptr || receive_message(*reply, reply_value))) {
      return true;
    }
    drop();
  }
  errno = ENETDOWN;
  return false;
}

}  // namespace

void complain() {
  const Exclusive exclusive;
  if (channel.has_complained) return;
  channel.has_complained = true;
  char text[256];
  const int size = snprintf(text, sizeof(text),
                            "braid: no daemon at %.150s: start one with `braid daemon`, or use `braid run`\n",
                            channel.path);
  if (syscall(SYS_write, 2, text, size) < 0) return;
}

bool call(const Request& request, const void* value, const Enclosed& enclosed, Reply& reply,
          void* reply_value) {
  const Exclusive exclusive;
  return exchange(request, value, enclosed, &reply, reply_value);
}

bool notify(const Request& request, const void* value, const Enclosed& enclosed) {
  const Exclusive exclusive;
  Request silent = request;
  silent.flags |= kNoReply;
  return exchange(silent, value, enclosed, nullptr, nullptr);
}

bool daemon_id(uint64_t& id) {
  const Exclusive exclusive;
  if (!open_channel()) return false;
  id = channel.daemon;
  return true;
}

}  // namespace braid::shim
