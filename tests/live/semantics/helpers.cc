#include <poll.h>
#include <unistd.h>

#include <algorithm>

#include "semantics/semantics.h"

namespace semantics {

std::vector<unsigned char> pattern(size_t start, size_t size) {
  std::vector<unsigned char> out(size);
  for (size_t i = 0; i < size; ++i) out[i] = static_cast<unsigned char>((start + i) % 251);
  return out;
}

bool is_pattern(const void* data, size_t start, size_t size) {
  const auto wanted = pattern(start, size);
  return std::equal(wanted.begin(), wanted.end(), static_cast<const unsigned char*>(data));
}

int listener(uint16_t& port, int type_flags, int backlog) {
  const int fd = socket(AF_INET, SOCK_STREAM | type_flags, 0);
  sockaddr_in any{};
  any.sin_family = AF_INET;
  CHECK(bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof(any)) == 0);
  CHECK(listen(fd, backlog) == 0);
  port = port_of(fd);
  return fd;
}

uint16_t port_of(int fd) {
  sockaddr_in6 address{};
  socklen_t size = sizeof(address);
  CHECK(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return ntohs(address.sin6_port);  // where sockaddr_in has it, too
}

short wait_for(int fd, short events) {
  pollfd state{fd, events, 0};
  CHECK(poll(&state, 1, 10'000) == 1);
  return state.revents;
}

void write_all(int fd, size_t start, size_t size) {
  const auto data = pattern(start, size);
  for (size_t at = 0; at < size;) {
    const ssize_t n = write(fd, data.data() + at, size - at);
    CHECK(n > 0);
    at += static_cast<size_t>(n);
  }
}

void read_all(int fd, size_t start, size_t size) {
  std::vector<unsigned char> data(size);
  for (size_t at = 0; at < size;) {
    const ssize_t n = read(fd, data.data() + at, size - at);
    CHECK(n > 0);
    at += static_cast<size_t>(n);
  }
  CHECK(is_pattern(data.data(), start, size));
}

int option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof(value);
  CHECK(getsockopt(fd, level, name, &value, &size) == 0);
  return value;
}

void set_option(int fd, int level, int name, int value) {
  CHECK(setsockopt(fd, level, name, &value, sizeof(value)) == 0);
}

}  // namespace semantics
