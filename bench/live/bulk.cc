// Bulk transfer over plain sockets, as little else as possible: what scripts/bench live runs on the kernel's
// TCP and MPTCP and, through the preloaded library, on Braid.
//
//   bulk sink PORT                       accepts one connection, reads it to its end, prints the octets
//   bulk send ADDRESS PORT SECONDS       writes for so long, prints the octets
//
// --mptcp asks the kernel for MPTCP; --congestion NAME sets TCP_CONGESTION.

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr int kProtocolMptcp = 262;
constexpr size_t kBlock = 256 * 1024;

int check(int result, const char* what) {
  if (result < 0) throw std::runtime_error(fmt::format("{}: {}", what, std::strerror(errno)));
  return result;
}

int open_socket(bool is_mptcp, const std::string& congestion) {
  const int fd = check(socket(AF_INET, SOCK_STREAM, is_mptcp ? kProtocolMptcp : 0), "socket");
  if (!congestion.empty()) {
    check(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion.data(),
                     static_cast<socklen_t>(congestion.size())),
          "TCP_CONGESTION");
  }
  return fd;
}

uint64_t sink(int listener, uint16_t port) {
  const int one = 1;
  check(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), "SO_REUSEADDR");
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(port);
  check(bind(listener, reinterpret_cast<sockaddr*>(&any), sizeof any), "bind");
  check(listen(listener, 8), "listen");
  fmt::print("listening\n");
  std::fflush(stdout);
  const int connection = check(accept(listener, nullptr, nullptr), "accept");
  std::vector<std::byte> block(kBlock);
  uint64_t total = 0;
  for (;;) {
    const ssize_t n = read(connection, block.data(), block.size());
    check(static_cast<int>(n), "read");
    if (n == 0) break;
    total += static_cast<uint64_t>(n);
  }
  close(connection);
  return total;
}

uint64_t send_for(int fd, const std::string& address, uint16_t port, double seconds) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  if (inet_pton(AF_INET, address.c_str(), &to.sin_addr) != 1)
    throw std::runtime_error(address + ": not an IPv4 address");
  check(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to), "connect");
  const std::vector<std::byte> block(kBlock);
  uint64_t total = 0;
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (std::chrono::steady_clock::now() < end) {
    const ssize_t n = write(fd, block.data(), block.size());
    check(static_cast<int>(n), "write");
    total += static_cast<uint64_t>(n);
  }
  check(shutdown(fd, SHUT_WR), "shutdown");
  char last;
  check(static_cast<int>(read(fd, &last, 1)), "waiting for the end");
  return total;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Bulk transfer over plain sockets"};
  app.require_subcommand(1);
  bool is_mptcp = false;
  std::string congestion, address;
  uint16_t port = 0;
  double seconds = 0;
  app.add_flag("--mptcp", is_mptcp, "ask the kernel for MPTCP");
  app.add_option("--congestion", congestion, "TCP_CONGESTION");
  auto* sink_command = app.add_subcommand("sink");
  sink_command->add_option("port", port)->required();
  auto* send_command = app.add_subcommand("send");
  send_command->add_option("address", address)->required();
  send_command->add_option("port", port)->required();
  send_command->add_option("seconds", seconds)->required();
  CLI11_PARSE(app, argc, argv);
  signal(SIGPIPE, SIG_IGN);
  try {
    const int fd = open_socket(is_mptcp, congestion);
    fmt::print("{}\n", *sink_command ? sink(fd, port) : send_for(fd, address, port, seconds));
  } catch (const std::exception& error) {
    fmt::print(stderr, "bulk: {}\n", error.what());
    return 1;
  }
  return 0;
}
