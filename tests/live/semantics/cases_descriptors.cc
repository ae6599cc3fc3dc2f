// A socket under several numbers, in several processes.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <set>

#include "semantics/semantics.h"

extern char** environ;

namespace semantics {
namespace {

void send_descriptor(int channel, int fd) {
  char byte = 'x';
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  EQUAL(sendmsg(channel, &message, 0), 1);
}

int receive_descriptor(int channel) {
  char byte;
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  EQUAL(recvmsg(channel, &message, 0), 1);
  int fd = -1;
  CHECK(CMSG_FIRSTHDR(&message) != nullptr);
  memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
  return fd;
}

void expect_success(pid_t pid) {
  int status = -1;
  EQUAL(waitpid(pid, &status, 0), pid);
  EQUAL(status, 0);
}

void expect_echo(Peer& peer) {
  peer.does("send 1000");
  peer.does("recv 1000", "1000");
}

}  // namespace

CASE(dup_dup2_dup3_and_f_dupfd) {
  Peer peer;
  const int fd = peer.connect();
  const int copies[] = {dup(fd), dup2(fd, 100), dup3(fd, 101, O_CLOEXEC), fcntl(fd, F_DUPFD, 200),
                        fcntl(fd, F_DUPFD_CLOEXEC, 300)};
  CHECK((fcntl(101, F_GETFD) & FD_CLOEXEC) != 0 && (fcntl(100, F_GETFD) & FD_CLOEXEC) == 0);
  const uint16_t port = port_of(fd);
  close(fd);
  size_t at = 0;
  for (const int copy : copies) {
    EQUAL(port_of(copy), port);
    write_all(copy, at, 100);
    at += 100;
    peer.does("recv 100", "100");
    set_option(copy, SOL_SOCKET, SO_KEEPALIVE, 1);
    if (copy != copies[4]) close(copy);
  }
  peer.does("send 100");
  read_all(copies[4], 0, 100);
  close(copies[4]);
  peer.does("end", "end");
}

CASE(forked_children_share_a_listener) {
  uint16_t port = 0;
  const int server = listener(port);
  std::vector<pid_t> children;
  for (int i = 0; i < 3; ++i) {
    const pid_t pid = fork();
    if (pid == 0) {
      for (;;) {
        const int fd = accept(server, nullptr, nullptr);
        if (fd < 0) _exit(1);
        read_all(fd, 0, 10);
        write_all(fd, 0, sizeof(pid_t));
        close(fd);
      }
    }
    children.push_back(pid);
  }
  close(server);
  Peer peer;
  for (int i = 0; i < 12; ++i) {
    peer.does("connect " + std::to_string(port));
    peer.does("send 10");
    peer.does("recv 4", "4");
    peer.does("end", "end");
    peer.does("close");
  }
  for (const pid_t pid : children) {
    kill(pid, SIGTERM);
    waitpid(pid, nullptr, 0);
  }
  // The last that held it is gone.
  peer.does("connect " + std::to_string(port), "ECONNREFUSED");
}

CASE(a_connection_outlives_the_process_that_made_it) {
  Peer peer;
  const int fd = peer.connect();
  const pid_t pid = fork();
  if (pid == 0) {
    write_all(fd, 0, 100);
    _exit(0);
  }
  expect_success(pid);
  write_all(fd, 100, 100);
  peer.does("recv 200", "200");
  close(fd);
  peer.does("end", "end");
}

CASE(scm_rights_pass_connections_and_listeners) {
  int channel[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, channel) == 0);
  const pid_t pid = fork();
  if (pid == 0) {
    const int connection = receive_descriptor(channel[1]);
    read_all(connection, 0, 1000);
    write_all(connection, 0, 1000);
    sockaddr_in address{};
    socklen_t size = sizeof(address);
    CHECK(getpeername(connection, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
          address.sin_family == AF_INET);
    set_option(connection, SOL_SOCKET, SO_KEEPALIVE, 1);
    const int server = receive_descriptor(channel[1]);
    CHECK(port_of(server) != 0);
    const int accepted = accept(server, nullptr, nullptr);
    CHECK(accepted >= 0);
    send_descriptor(channel[1], accepted);
    _exit(0);
  }
  Peer peer;
  const int fd = peer.connect();
  send_descriptor(channel[0], fd);
  close(fd);
  expect_echo(peer);
  uint16_t port = 0;
  const int server = listener(port);
  send_descriptor(channel[0], server);
  close(server);
  peer.does("connect " + std::to_string(port));
  const int accepted = receive_descriptor(channel[0]);
  expect_success(pid);
  peer.does("send 100");
  read_all(accepted, 0, 100);
}

CASE(vfork_and_exec_with_an_inherited_descriptor) {
  Peer peer;
  const int fd = peer.connect();
  const std::string number = std::to_string(fd), path = own_path();
  const pid_t pid = vfork();
  if (pid == 0) {
    execl(path.c_str(), path.c_str(), "--child", number.c_str(), nullptr);
    _exit(127);
  }
  close(fd);
  expect_echo(peer);
  peer.does("shutdown");
  expect_success(pid);
  peer.does("end", "end");
}

CASE(posix_spawn_with_a_descriptor_moved) {
  Peer peer;
  const int fd = peer.connect(SOCK_CLOEXEC);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fd, 50);
  const std::string path = own_path();
  char* words[] = {const_cast<char*>(path.c_str()), const_cast<char*>("--child"), const_cast<char*>("50"),
                   nullptr};
  pid_t pid = 0;
  EQUAL(posix_spawn(&pid, path.c_str(), &actions, nullptr, words, environ), 0);
  close(fd);
  expect_echo(peer);
  peer.does("shutdown");
  expect_success(pid);
  peer.does("end", "end");
}

CASE(close_on_exec_closes) {
  Peer peer;
  const int fd = peer.connect(SOCK_CLOEXEC);
  const pid_t pid = fork();
  if (pid == 0) {
    execl("/bin/sleep", "sleep", "20", nullptr);
    _exit(127);
  }
  close(fd);
  peer.does("end", "end");
  kill(pid, SIGTERM);
  waitpid(pid, nullptr, 0);
}

CASE(close_range_of_everything_leaves_a_working_library) {
  Peer peer;
  const int fd = peer.connect();
  dup2(fd, 800);
  EQUAL(close_range(801, ~0U, 0), 0);
  // What this case talks to the puppet by has a lower number.
  EQUAL(close_range(static_cast<unsigned>(fd), 799, 0), 0);
  write_all(800, 0, 100);
  peer.does("recv 100", "100");
  Peer another;
  const int fresh = another.connect();
  another.does("send 100");
  read_all(fresh, 0, 100);
  EQUAL(close_range(800, 800, 0), 0);
  peer.does("end", "end");
}

CASE(closefrom_is_survived) {
  {
    Peer peer;
    peer.connect();
    closefrom(3);
  }
  Peer peer;
  const int fd = peer.connect();
  peer.does("send 100");
  read_all(fd, 0, 100);
  uint16_t port = 0;
  const int server = listener(port);
  peer.does("connect " + std::to_string(port));
  CHECK(accept(server, nullptr, nullptr) >= 0);
}

// Braid's library would not see what goes through it. The test is of the word that leads further.
CASE(io_uring_is_refused_with_a_clear_word) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(ends[1], STDERR_FILENO);
    char params[120] = {};
    const long ring = syscall(SYS_io_uring_setup, 8, params);
    _exit(ring >= 0 ? 0 : errno);
  }
  close(ends[1]);
  std::string said(1000, 0);
  const ssize_t size = read(ends[0], said.data(), said.size());
  int status = 0;
  waitpid(pid, &status, 0);
  said.resize(size > 0 ? static_cast<size_t>(size) : 0);
  if (!is_on_braid()) {
    CHECK(said.empty());
    return;
  }
  EQUAL(WEXITSTATUS(status), ENOSYS);
  CHECK(said.find("asked for io_uring") != std::string::npos);
  CHECK(said.find("braid run --capture") != std::string::npos);
}

}  // namespace semantics
