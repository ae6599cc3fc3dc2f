#include "shim/epoll_registrations.h"

#include <pthread.h>

#include "shim/real_calls.h"

namespace braid::shim {

namespace {
struct Registration {
  uint64_t socket = 0;
  int epoll = -1;
  int fd = -1;
  epoll_event event = {};
};

// Sockets between socket() and connect() are few. One that finds the table full displaces the oldest, which
// then cannot be turned into a kernel socket without losing its registration.
constexpr unsigned kRegistrations = 1024;
Registration registrations[kRegistrations];
unsigned next_free = 0;
pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

void lock_for_fork() { pthread_mutex_lock(&mutex); }
void unlock_after_fork() { pthread_mutex_unlock(&mutex); }
__attribute__((constructor)) void prepare() {
  pthread_atfork(lock_for_fork, unlock_after_fork, unlock_after_fork);
}
}  // namespace

void note_registration(int epoll, int operation, int fd, const epoll_event& event, uint64_t socket) {
  pthread_mutex_lock(&mutex);
  Registration* found = nullptr;
  for (Registration& r : registrations) {
    if (r.socket == socket && r.epoll == epoll && r.fd == fd) found = &r;
  }
  if (operation == EPOLL_CTL_DEL) {
    if (found != nullptr) found->socket = 0;
  } else {
    if (found == nullptr) found = &registrations[next_free++ % kRegistrations];
    *found = {socket, epoll, fd, event};
  }
  pthread_mutex_unlock(&mutex);
}

void register_again(int fd, uint64_t socket, uint64_t successor) {
  pthread_mutex_lock(&mutex);
  for (Registration& r : registrations) {
    if (r.socket != socket || r.fd != fd) continue;
    real().epoll_ctl(r.epoll, EPOLL_CTL_ADD, fd, &r.event);
    r.socket = successor;
  }
  pthread_mutex_unlock(&mutex);
}

}  // namespace braid::shim
