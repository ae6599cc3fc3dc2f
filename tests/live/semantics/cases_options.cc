// What a socket can be told and asked.
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "semantics/semantics.h"

namespace semantics {
namespace {

int connect_to(int fd, const sockaddr_in& address) {
  return connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

tcp_info info_of(int fd) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  CHECK(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
  CHECK(size >= 104);
  return info;
}

// Linux's numbers of states.
enum { kEstablished = 1, kSynSent = 2, kClose = 7, kCloseWait = 8, kListen = 10 };

}  // namespace

CASE(what_a_socket_is) {
  for (const int family : {AF_INET, AF_INET6}) {
    const int fd = socket(family, SOCK_STREAM, 0);
    EQUAL(option(fd, SOL_SOCKET, SO_DOMAIN), family);
    EQUAL(option(fd, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
    EQUAL(option(fd, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
    EQUAL(option(fd, SOL_SOCKET, SO_ACCEPTCONN), 0);
    EQUAL(option(fd, SOL_SOCKET, SO_ERROR), 0);
    EQUAL(port_of(fd), 0);
    EQUAL(listen(fd, 1), 0);
    EQUAL(option(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
    CHECK(port_of(fd) != 0);
  }
}

CASE(options_keep_what_they_are_set_to) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const struct {
    int level, name, value;
  } options[] = {{SOL_SOCKET, SO_KEEPALIVE, 1},
                 {SOL_SOCKET, SO_REUSEADDR, 1},
                 {SOL_SOCKET, SO_REUSEPORT, 1},
                 {IPPROTO_TCP, TCP_NODELAY, 1},
                 {IPPROTO_TCP, TCP_CORK, 1},
                 {IPPROTO_TCP, TCP_KEEPIDLE, 17},
                 {IPPROTO_TCP, TCP_KEEPINTVL, 5},
                 {IPPROTO_TCP, TCP_KEEPCNT, 3},
                 {IPPROTO_TCP, TCP_USER_TIMEOUT, 4321},
                 {IPPROTO_TCP, TCP_SYNCNT, 3},
                 {IPPROTO_IP, IP_TOS, 0x10},
                 {SOL_SOCKET, SO_PRIORITY, 3},
                 {IPPROTO_TCP, TCP_NOTSENT_LOWAT, 9999}};
  for (const auto& [level, name, value] : options) {
    CHECK(option(fd, level, name) != value);
    set_option(fd, level, name, value);
    EQUAL(option(fd, level, name), value);
  }
  set_option(fd, SOL_SOCKET, SO_SNDBUF, 50'000);
  EQUAL(option(fd, SOL_SOCKET, SO_SNDBUF), 100'000);
  set_option(fd, SOL_SOCKET, SO_RCVBUF, 60'000);
  EQUAL(option(fd, SOL_SOCKET, SO_RCVBUF), 120'000);
  const int value = 1;
  FAILS(setsockopt(fd, IPPROTO_TCP, 9999, &value, sizeof(value)), ENOPROTOOPT);
  FAILS(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, 1), EINVAL);
}

CASE(accepted_sockets_inherit_options) {
  Peer peer;
  uint16_t port = 0;
  const int server = listener(port);
  set_option(server, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(server, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(server, IPPROTO_TCP, TCP_KEEPIDLE, 33);
  const linger wait{1, 7};
  CHECK(setsockopt(server, SOL_SOCKET, SO_LINGER, &wait, sizeof(wait)) == 0);
  peer.does("connect " + std::to_string(port));
  const int fd = accept(server, nullptr, nullptr);
  EQUAL(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
  EQUAL(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
  EQUAL(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 33);
  linger kept{};
  socklen_t size = sizeof(kept);
  CHECK(getsockopt(fd, SOL_SOCKET, SO_LINGER, &kept, &size) == 0 && kept.l_onoff == 1 && kept.l_linger == 7);
}

CASE(cork_holds_back_and_lets_go) {
  Peer peer;
  const int fd = peer.connect();
  set_option(fd, IPPROTO_TCP, TCP_CORK, 1);
  for (size_t at = 0; at < 5000; at += 100) write_all(fd, at, 100);
  set_option(fd, IPPROTO_TCP, TCP_CORK, 0);
  peer.does("recv 5000", "5000");
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  for (size_t at = 5000; at < 6000; at += 10) {
    write_all(fd, at, 10);
    peer.does("recv 10", "10");
  }
}

CASE(tcp_info_is_filled_in) {
  Peer peer;
  const int fd = peer.connect();
  write_all(fd, 0, 100'000);
  peer.does("recv 100000", "100000");
  peer.does("send 50000");
  read_all(fd, 0, 50'000);
  tcp_info info{};
  do info = info_of(fd);
  while (info.tcpi_unacked != 0 && usleep(1000) == 0);
  EQUAL(info.tcpi_state, kEstablished);
  CHECK(info.tcpi_rtt > 0 && info.tcpi_rtt < 5'000'000);
  CHECK(info.tcpi_rto >= 1000);
  CHECK(info.tcpi_snd_mss >= 500 && info.tcpi_snd_mss < 65'536);
  CHECK(info.tcpi_snd_cwnd > 0);
  CHECK(info.tcpi_pmtu >= 1280);
  CHECK(info.tcpi_options != 0);  // timestamps, SACK, window scaling: this path has them
  peer.does("shutdown");
  wait_for(fd, POLLRDHUP);
  EQUAL(info_of(fd).tcpi_state, kCloseWait);
  uint16_t port = 0;
  EQUAL(info_of(listener(port)).tcpi_state, kListen);
  EQUAL(info_of(socket(AF_INET, SOCK_STREAM, 0)).tcpi_state, kClose);
}

CASE(user_timeout_ends_a_dead_connection) {
  Peer peer;
  const int fd = peer.connect();
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 1000);
  peer.does("drop");
  write_all(fd, 0, 1000);
  char byte;
  FAILS(read(fd, &byte, 1), ETIMEDOUT);
}

CASE(keepalive_finds_a_dead_peer) {
  Peer peer;
  const int fd = peer.connect();
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 2);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  peer.does("drop");
  char byte;
  FAILS(read(fd, &byte, 1), ETIMEDOUT);
}

CASE(syn_count_limits_how_long_connect_tries) {
  Peer peer;
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  set_option(fd, IPPROTO_TCP, TCP_SYNCNT, 1);
  FAILS(connect_to(fd, peer.silent()), ETIMEDOUT);
}

CASE(connect_errors) {
  Peer peer;
  const int refused = socket(AF_INET, SOCK_STREAM, 0);
  FAILS(connect_to(refused, peer.refusing()), ECONNREFUSED);
  // The same socket may try again.
  EQUAL(connect_to(refused, peer.address()), 0);
  peer.does("accept");
  FAILS(connect_to(refused, peer.address()), EISCONN);
  const int unreachable = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in nowhere{};
  nowhere.sin_family = AF_INET;
  nowhere.sin_port = htons(80);
  nowhere.sin_addr.s_addr = htonl(0xcb007101);  // 203.0.113.1: there is no route
  FAILS(connect_to(unreachable, nowhere), ENETUNREACH);
  sockaddr_in6 other{};
  other.sin6_family = AF_INET6;
  FAILS(connect(unreachable, reinterpret_cast<sockaddr*>(&other), sizeof(other)), EAFNOSUPPORT);
  FAILS(connect(unreachable, reinterpret_cast<sockaddr*>(&other), 3), EINVAL);
}

CASE(so_error_tells_of_a_refused_connect_once) {
  Peer peer;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  FAILS(connect_to(fd, peer.refusing()), EINPROGRESS);
  CHECK((wait_for(fd, POLLOUT) & (POLLERR | POLLHUP)) == (POLLERR | POLLHUP));
  EQUAL(option(fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
  EQUAL(option(fd, SOL_SOCKET, SO_ERROR), 0);
}

CASE(reuse_of_addresses) {
  Peer peer;
  const auto bound = [](uint16_t port, std::vector<int> options) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    for (const int name : options) set_option(fd, SOL_SOCKET, name, 1);
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_port = htons(port);
    const int result = bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof(any));
    return result == 0 ? fd : -1;
  };
  const int first = bound(0, {SO_REUSEADDR});
  const uint16_t port = port_of(first);
  CHECK(bound(port, {}) == -1 && errno == EADDRINUSE);
  const int second = bound(port, {SO_REUSEADDR});
  CHECK(second >= 0);
  close(second);
  EQUAL(listen(first, 5), 0);
  CHECK(bound(port, {SO_REUSEADDR}) == -1 && errno == EADDRINUSE);
  // Started again while a connection of the one before lives.
  peer.does("connect " + std::to_string(port));
  const int accepted = accept(first, nullptr, nullptr);
  close(first);
  const int again = bound(port, {SO_REUSEADDR});
  CHECK(again >= 0);
  EQUAL(listen(again, 5), 0);
  write_all(accepted, 0, 10);
  peer.does("recv 10", "10");
  const int shared = bound(0, {SO_REUSEPORT});
  EQUAL(listen(shared, 5), 0);
  const int sharing = bound(port_of(shared), {SO_REUSEPORT});
  CHECK(sharing >= 0);
  EQUAL(listen(sharing, 5), 0);
}

CASE(v6only_and_mapped_addresses) {
  Peer peer;
  const auto server = [](int v6only, uint16_t port) {
    const int fd = socket(AF_INET6, SOCK_STREAM, 0);
    set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, v6only);
    EQUAL(option(fd, IPPROTO_IPV6, IPV6_V6ONLY), v6only);
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    any.sin6_port = htons(port);
    CHECK(bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof(any)) == 0);
    EQUAL(listen(fd, 5), 0);
    return fd;
  };
  const int dual = server(0, 0);
  for (const std::string command : {"connect ", "connect6 "}) {
    peer.does(command + std::to_string(port_of(dual)));
    sockaddr_in6 from{};
    socklen_t size = sizeof(from);
    const int fd = accept(dual, reinterpret_cast<sockaddr*>(&from), &size);
    CHECK(fd >= 0 && size == sizeof(from) && from.sin6_family == AF_INET6);
    EQUAL(IN6_IS_ADDR_V4MAPPED(&from.sin6_addr), command == "connect ");
    peer.does("send 10");
    read_all(fd, 0, 10);
  }
  const int only = server(1, 0);
  peer.does("connect6 " + std::to_string(port_of(only)));
  CHECK(accept(only, nullptr, nullptr) >= 0);
  peer.does("connect " + std::to_string(port_of(only)), "ECONNREFUSED");
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(port_of(only));
  EQUAL(bind(socket(AF_INET, SOCK_STREAM, 0), reinterpret_cast<sockaddr*>(&any), sizeof(any)), 0);
}

CASE(misuse) {
  Peer peer;
  const int fd = peer.connect();
  FAILS(accept(fd, nullptr, nullptr), EINVAL);
  FAILS(listen(fd, 5), EINVAL);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  FAILS(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), EINVAL);
  const int fresh = socket(AF_INET, SOCK_STREAM, 0);
  socklen_t size = sizeof(address);
  FAILS(getpeername(fresh, reinterpret_cast<sockaddr*>(&address), &size), ENOTCONN);
  char byte;
  FAILS(recv(fd, &byte, 1, MSG_ERRQUEUE | MSG_DONTWAIT), EAGAIN);
  FAILS(lseek(fd, 0, SEEK_SET), ESPIPE);
}

}  // namespace semantics
