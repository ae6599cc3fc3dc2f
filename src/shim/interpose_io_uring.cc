// io_uring: its requests go past libc, so that a connect() or accept() made through it would reach the Unix
// socket that stands for a Braid socket, and fail; and epoll_ctl() made through it would go unseen. So there
// is none here, as in most containers: programs that know it have another way, which Braid sees. Those that
// insist are told where to go. libc's syscall() is how all do it that don't bring their own assembly; those
// that go through liburing are met at its door.
#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "shim/export.h"
#include "shim/real_calls.h"

namespace {

bool is_allowed() {
  const char* word = getenv("BRAID_IO_URING");
  return word != nullptr && strcmp(word, "allow") == 0;
}

// On standard error, once a process; not for programs that only look whether it is there and go on without.
void say_so() {
  static std::atomic_flag has_been_said = ATOMIC_FLAG_INIT;
  if (has_been_said.test_and_set()) return;
  char text[512];
  const int size = snprintf(text, sizeof(text),
                            "braid: %s asked for io_uring, past which Braid's library cannot see: it was "
                            "told that there is none. If it "
                            "cannot do without, run it with `braid run --capture`; BRAID_IO_URING=allow lets "
                            "it have io_uring for files "
                            "only.\n",
                            program_invocation_short_name);
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text, static_cast<size_t>(size));
}

int refuse() {
  say_so();
  return -ENOSYS;
}

template <class Function, class... Arguments>
int enter(const char* name, Arguments... arguments) {
  if (!is_allowed()) return refuse();
  const auto function = reinterpret_cast<Function>(braid::shim::look_up(name));
  return function != nullptr ? function(arguments...) : -ENOSYS;
}

}  // namespace

struct io_uring;

// ---- liburing's own: they return -errno
BRAID_EXPORT int io_uring_queue_init(unsigned entries, io_uring* ring, unsigned flags) {
  return enter<int (*)(unsigned, io_uring*, unsigned)>("io_uring_queue_init", entries, ring, flags);
}

BRAID_EXPORT int io_uring_queue_init_params(unsigned entries, io_uring* ring, io_uring_params* params) {
  return enter<int (*)(unsigned, io_uring*, io_uring_params*)>("io_uring_queue_init_params", entries, ring,
                                                               params);
}

// ---- libc's. Six arguments, whoever gives fewer, so that the compiler makes a jump of the call: the frame
// of a system call that returns twice (vfork) stays whole.
extern "C" __attribute__((visibility("default"), optimize("O2"))) long braid_syscall(
    long number, long a, long b, long c, long d, long e, long f) __asm__("syscall");

extern "C" long braid_syscall(long number, long a, long b, long c, long d, long e, long f) {
  if (number == SYS_io_uring_setup && !is_allowed()) {
    say_so();
    errno = ENOSYS;
    return -1;
  }
  return braid::shim::real().syscall(number, a, b, c, d, e, f);
}
