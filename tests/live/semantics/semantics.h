// Small tests of what a socket does, one program for the kernel's TCP and for Braid: the same assertions hold
// on both. The other end is puppet.py, which does what it is told over a connection of its own.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace semantics {

/// Ends the case, and says where and why.
[[noreturn]] void fail(const char* file, int line, const std::string& what);

/// What the other end does.
class Peer {
 public:
  /// Connects to the puppet that the program was given.
  Peer();
  /// The answer to a command has to be "ok", or what is given.
  void does(const std::string& command, std::string_view answer = "ok");
  std::string ask(const std::string& command);
  /// A new connection to it, which it has accepted.
  int connect(int type_flags = 0);
  /// Its address with its own listener's port, or another.
  sockaddr_in address() const { return address(port_); }
  sockaddr_in address(uint16_t port) const;
  /// Where nobody answers, and no one refuses.
  sockaddr_in silent() const;
  /// Where it refuses.
  sockaddr_in refusing() const { return address(1); }

 private:
  std::string read_line();
  int control_ = -1;
  uint16_t port_ = 0;
  std::string text_;
};

/// Whether this runs on Braid: for the few differences that docs/applications.md explains.
bool is_on_braid();
/// To start this program again, see `--child` in main.cc.
const std::string& own_path();

/// What follows from position `start` of a stream.
std::vector<unsigned char> pattern(size_t start, size_t size);
bool is_pattern(const void* data, size_t start, size_t size);
/// A listener on any port of IPv4, and its port.
int listener(uint16_t& port, int type_flags = 0, int backlog = 16);
uint16_t port_of(int fd);
/// Polls for `events` for at most ten seconds; what came.
short wait_for(int fd, short events);
/// Writes or reads exactly so many octets of the pattern.
void write_all(int fd, size_t start, size_t size);
void read_all(int fd, size_t start, size_t size);
int option(int fd, int level, int name);
void set_option(int fd, int level, int name, int value);
/// As the name of an errno for messages; "" for 0.
std::string name_of(int error);

struct Case {
  const char* name;
  void (*run)();
  Case(const char* name, void (*run)());
};
const std::vector<Case>& all_cases();

}  // namespace semantics

#define CASE(name)                                         \
  static void name();                                      \
  static const ::semantics::Case case_##name{#name, name}; \
  static void name()

#define CHECK(condition)                                                 \
  do {                                                                   \
    if (!(condition)) ::semantics::fail(__FILE__, __LINE__, #condition); \
  } while (false)

#define EQUAL(actual, wanted)                                                                 \
  do {                                                                                        \
    errno = 0;                                                                                \
    const long actual_ = static_cast<long>(actual), wanted_ = static_cast<long>(wanted);      \
    if (actual_ != wanted_) {                                                                 \
      ::semantics::fail(__FILE__, __LINE__,                                                   \
                        std::string(#actual " is ") + std::to_string(actual_) + " and not " + \
                            std::to_string(wanted_) + " " + ::semantics::name_of(errno));     \
    }                                                                                         \
  } while (false)

#define FAILS(expression, error)                                                            \
  do {                                                                                      \
    errno = 0;                                                                              \
    const long result_ = static_cast<long>(expression);                                     \
    const int errno_ = errno;                                                               \
    if (result_ != -1 || errno_ != (error)) {                                               \
      ::semantics::fail(__FILE__, __LINE__,                                                 \
                        std::string(#expression " gave ") + std::to_string(result_) + " " + \
                            ::semantics::name_of(errno_) + " and not " #error);             \
    }                                                                                       \
  } while (false)
