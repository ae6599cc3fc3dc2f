// Waiting, and not waiting: threads, signals, O_NONBLOCK, timeouts, poll, select, epoll.
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "semantics/semantics.h"

namespace semantics {
namespace {

std::atomic<int> signals_seen{0};

void on_signal(int) { ++signals_seen; }

void handle_alarms(int flags) {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = flags;
  sigaction(SIGUSR1, &action, nullptr);
}

// Until `done`: whenever this thread waits, sooner or later it is interrupted.
class Interrupter {
 public:
  Interrupter()
      : target_(pthread_self()), thread_([this] {
          while (!is_done_) {
            usleep(20'000);
            pthread_kill(target_, SIGUSR1);
          }
        }) {}
  ~Interrupter() {
    is_done_ = true;
    thread_.join();
  }

 private:
  pthread_t target_;
  std::atomic<bool> is_done_{false};
  std::thread thread_;
};

int connect_to(int fd, const sockaddr_in& address) {
  return connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

}  // namespace

CASE(threads_have_connections_of_their_own) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([] {
      Peer peer;
      const int fd = peer.connect();
      peer.does("sendlater 300000");
      write_all(fd, 0, 100'000);
      read_all(fd, 0, 300'000);
      peer.does("recv 100000", "100000");
      close(fd);
      peer.does("end", "end");
    });
  }
  for (std::thread& thread : threads) thread.join();
}

CASE(one_thread_reads_while_another_writes) {
  Peer peer;
  const int fd = peer.connect();
  peer.does("sendlater 3000000");
  std::thread reader([fd] { read_all(fd, 0, 3'000'000); });
  std::thread writer([fd] { write_all(fd, 0, 3'000'000); });
  reader.join();
  peer.does("recv 3000000", "3000000");
  writer.join();
}

CASE(signal_interrupts_recv) {
  Peer peer;
  const int fd = peer.connect();
  handle_alarms(0);
  const Interrupter interrupter;
  char buffer[10];
  FAILS(recv(fd, buffer, sizeof(buffer), 0), EINTR);
}

CASE(sa_restart_restarts_recv) {
  Peer peer;
  const int fd = peer.connect();
  handle_alarms(SA_RESTART);
  std::thread later([&peer] {
    while (signals_seen < 3) usleep(1000);
    peer.does("send 10");
  });
  {
    const Interrupter interrupter;
    char buffer[10];
    EQUAL(recv(fd, buffer, sizeof(buffer), MSG_WAITALL), 10);
  }
  later.join();
  CHECK(signals_seen >= 3);
}

CASE(signal_interrupts_accept) {
  uint16_t port = 0;
  const int fd = listener(port);
  handle_alarms(0);
  const Interrupter interrupter;
  FAILS(accept(fd, nullptr, nullptr), EINTR);
}

CASE(sa_restart_restarts_accept) {
  Peer peer;
  uint16_t port = 0;
  const int fd = listener(port);
  handle_alarms(SA_RESTART);
  std::thread later([&] {
    while (signals_seen < 3) usleep(1000);
    peer.does("connect " + std::to_string(port));
  });
  int accepted;
  {
    const Interrupter interrupter;
    accepted = accept(fd, nullptr, nullptr);
  }
  later.join();
  CHECK(accepted >= 0);
  peer.does("send 10");
  read_all(accepted, 0, 10);
}

CASE(interrupted_connect_goes_on) {
  Peer peer;
  handle_alarms(0);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const Interrupter interrupter;
  FAILS(connect_to(fd, peer.silent()), EINTR);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  FAILS(connect_to(fd, peer.silent()), EALREADY);
}

CASE(signal_interrupts_send_that_waits_for_room) {
  Peer peer;
  const int fd = peer.connect();
  handle_alarms(0);
  const Interrupter interrupter;
  const std::vector<char> data(64 << 20);
  const ssize_t n = send(fd, data.data(), data.size(), 0);
  CHECK(n > 0 && n < static_cast<ssize_t>(data.size()));
  CHECK(signals_seen > 0);
}

CASE(nonblocking_by_any_route) {
  Peer peer;
  char byte;
  const auto expect_nonblocking = [&](int fd) {
    CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    FAILS(recv(fd, &byte, 1, 0), EAGAIN);
    FAILS(read(fd, &byte, 1), EAGAIN);
  };
  const int by_type = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  FAILS(connect_to(by_type, peer.address()), EINPROGRESS);
  peer.does("accept");
  CHECK((wait_for(by_type, POLLOUT) & POLLERR) == 0);
  expect_nonblocking(by_type);
  const int by_fcntl = peer.connect();
  EQUAL(fcntl(by_fcntl, F_SETFL, O_NONBLOCK), 0);
  expect_nonblocking(by_fcntl);
  const int by_ioctl = peer.connect();
  int on = 1;
  EQUAL(ioctl(by_ioctl, FIONBIO, &on), 0);
  expect_nonblocking(by_ioctl);
  on = 0;
  EQUAL(ioctl(by_ioctl, FIONBIO, &on), 0);
  CHECK((fcntl(by_ioctl, F_GETFL) & O_NONBLOCK) == 0);
  uint16_t port = 0;
  const int server = listener(port, SOCK_NONBLOCK);
  FAILS(accept(server, nullptr, nullptr), EAGAIN);
  peer.does("connect " + std::to_string(port));
  wait_for(server, POLLIN);
  const int by_accept4 = accept4(server, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  expect_nonblocking(by_accept4);
  CHECK((fcntl(by_accept4, F_GETFD) & FD_CLOEXEC) != 0);
  peer.does("connect " + std::to_string(port));
  wait_for(server, POLLIN);
  const int by_accept = accept(server, nullptr, nullptr);
  CHECK((fcntl(by_accept, F_GETFL) & O_NONBLOCK) == 0);
  CHECK((fcntl(by_accept, F_GETFD) & FD_CLOEXEC) == 0);
}

CASE(timeouts_of_receiving_and_sending) {
  Peer peer;
  const int fd = peer.connect();
  const timeval timeout{0, 200'000};
  CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) == 0);
  CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) == 0);
  timeval kept{};
  socklen_t size = sizeof(kept);
  CHECK(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kept, &size) == 0 && kept.tv_usec >= 200'000 &&
        kept.tv_usec <= 204'000);
  char byte;
  FAILS(recv(fd, &byte, 1, 0), EAGAIN);
  const std::vector<char> data(64 << 20);
  ssize_t n = send(fd, data.data(), data.size(), 0);
  CHECK(n > 0 && n < static_cast<ssize_t>(data.size()));
  // Buffers may still grow a little.
  for (int i = 0; i < 20 && n > 0; ++i) n = send(fd, data.data(), data.size(), 0);
  CHECK(n == -1 && errno == EAGAIN);
}

CASE(accept_timeout) {
  uint16_t port = 0;
  const int fd = listener(port);
  const timeval timeout{0, 200'000};
  CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) == 0);
  FAILS(accept(fd, nullptr, nullptr), EAGAIN);
}

CASE(connect_timeout_by_sndtimeo) {
  Peer peer;
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const timeval timeout{0, 200'000};
  CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) == 0);
  FAILS(connect_to(fd, peer.silent()), EINPROGRESS);
}

CASE(poll_ppoll_select_pselect) {
  Peer peer;
  const int fd = peer.connect();
  pollfd state{fd, POLLIN | POLLOUT, 0};
  EQUAL(poll(&state, 1, 0), 1);
  EQUAL(state.revents, POLLOUT);
  peer.does("send 10");
  EQUAL(wait_for(fd, POLLIN), POLLIN);
  const timespec none{};
  state.events = POLLIN;
  EQUAL(ppoll(&state, 1, &none, nullptr), 1);
  fd_set readable, writable;
  FD_ZERO(&readable);
  FD_ZERO(&writable);
  FD_SET(fd, &readable);
  FD_SET(fd, &writable);
  timeval now{};
  EQUAL(select(fd + 1, &readable, &writable, nullptr, &now), 2);
  FD_ZERO(&readable);
  FD_SET(fd, &readable);
  EQUAL(pselect(fd + 1, &readable, nullptr, nullptr, &none, nullptr), 1);
  read_all(fd, 0, 10);
  state.revents = 0;
  EQUAL(poll(&state, 1, 0), 0);
  peer.does("shutdown");
  state.events = POLLIN | POLLRDHUP;
  EQUAL(poll(&state, 1, 10'000), 1);
  EQUAL(state.revents, POLLIN | POLLRDHUP);
}

CASE(epoll_edge_tells_once) {
  Peer peer;
  const int fd = peer.connect();
  fcntl(fd, F_SETFL, O_NONBLOCK);
  const int epoll = epoll_create1(0);
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.fd = fd}};
  EQUAL(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
  EQUAL(epoll_wait(epoll, &event, 1, 0), 0);
  peer.does("send 10");
  EQUAL(epoll_wait(epoll, &event, 1, 10'000), 1);
  EQUAL(epoll_wait(epoll, &event, 1, 100), 0);
  read_all(fd, 0, 4);
  EQUAL(epoll_wait(epoll, &event, 1, 100), 0);
  peer.does("send 5");
  EQUAL(epoll_wait(epoll, &event, 1, 10'000), 1);
  read_all(fd, 4, 11);
}

CASE(epoll_edge_tells_of_room) {
  Peer peer;
  const int fd = peer.connect();
  fcntl(fd, F_SETFL, O_NONBLOCK);
  const int epoll = epoll_create1(0);
  epoll_event event{.events = EPOLLOUT | EPOLLET, .data = {.fd = fd}};
  EQUAL(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
  EQUAL(epoll_wait(epoll, &event, 1, 10'000), 1);
  size_t written = 0;
  const auto data = pattern(0, 251 * 4000);
  // Until nothing more is taken for a moment: the peer does not read.
  for (bool is_full = false; !is_full;) {
    const size_t at = written % 251;
    const ssize_t n = write(fd, data.data() + at, data.size() - at);
    if (n > 0) written += static_cast<size_t>(n);
    if (n < 0) is_full = epoll_wait(epoll, &event, 1, 500) == 0;
  }
  peer.does("recv " + std::to_string(written), std::to_string(written));
  EQUAL(epoll_wait(epoll, &event, 1, 10'000), 1);
  CHECK((event.events & EPOLLOUT) != 0);
}

CASE(epoll_one_shot_tells_until_armed_again) {
  Peer peer;
  const int fd = peer.connect();
  const int epoll = epoll_create1(0);
  epoll_event event{.events = EPOLLIN | EPOLLONESHOT, .data = {.fd = fd}};
  EQUAL(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
  peer.does("send 10");
  EQUAL(epoll_wait(epoll, &event, 1, 10'000), 1);
  EQUAL(epoll_wait(epoll, &event, 1, 100), 0);
  event = {.events = EPOLLIN | EPOLLONESHOT, .data = {.fd = fd}};
  EQUAL(epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event), 0);
  EQUAL(epoll_wait(epoll, &event, 1, 10'000), 1);
  read_all(fd, 0, 10);
}

CASE(epoll_tells_of_accept_connect_and_hang_up) {
  Peer peer;
  const int epoll = epoll_create1(0);
  epoll_event event{};
  const auto add = [&](int fd, uint32_t events) {
    event = {.events = events, .data = {.fd = fd}};
    EQUAL(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
  };
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  FAILS(connect_to(client, peer.address()), EINPROGRESS);
  add(client, EPOLLOUT | EPOLLIN | EPOLLRDHUP | EPOLLET);
  EQUAL(epoll_wait(epoll, &event, 1, 10'000), 1);
  EQUAL(event.events, EPOLLOUT);
  peer.does("accept");
  peer.does("shutdown");
  EQUAL(epoll_wait(epoll, &event, 1, 10'000), 1);
  CHECK((event.events & (EPOLLIN | EPOLLRDHUP)) == (EPOLLIN | EPOLLRDHUP));
  EQUAL(shutdown(client, SHUT_WR), 0);
  peer.does("end", "end");
  // Both directions are closed.
  CHECK((wait_for(client, POLLIN) & POLLHUP) != 0);
  uint16_t port = 0;
  const int server = listener(port);
  EQUAL(epoll_ctl(epoll, EPOLL_CTL_DEL, client, nullptr), 0);
  add(server, EPOLLIN);
  peer.does("connect " + std::to_string(port));
  EQUAL(epoll_wait(epoll, &event, 1, 10'000), 1);
  EQUAL(event.data.fd, server);
}

}  // namespace semantics
