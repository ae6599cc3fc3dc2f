// A daemon's core in a thread, over a wire in memory, and real programs that run on it through the shim.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "service/socket_service.h"
#include "service/testing/memory_link.h"

namespace braid::service {

/// A program that was started; killed and reaped if it is still there in the end.
class Program {
 public:
  Program(const std::vector<std::string>& arguments, const std::vector<std::string>& environment);
  ~Program();
  Program(Program&& other) noexcept;
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// Its next line of output, without the newline; "" at the end.
  std::string read_line();
  void write_line(const std::string& line);
  /// All its further output, and how it ended if not with 0. Half a minute is the limit.
  std::string finish();
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  FILE* output_ = nullptr;
  int input_ = -1;
};

/// One host with its programs. Its addresses: 192.0.2.NUMBER and 2001:db8::NUMBER.
class World {
 public:
  /// `socket_path`: empty for one of its own.
  World(MemoryLink& link, int end, const SocketSettings& settings = {}, const std::string& socket_path = {});
  ~World();

  const std::string& socket_path() const { return socket_path_; }
  /// Runs a Python program, with `socket`, `os`, `sys`, `select`, `errno`, `struct`, `time` imported, HERE
  /// and THERE the addresses, say() for a line of output, hear() for one of input,
  /// receive(s, n), and outcome(call, ...), which names the error.
  Program python(const std::string& source) const;
  Program start(const std::vector<std::string>& arguments) const;
  /// The daemon is gone, as if killed.
  void kill();
  /// Runs `work` in the daemon's thread, and waits for it.
  void inside(const std::function<void(SocketService&, host::Host&)>& work);

 private:
  void run(MemoryLink& link, const SocketSettings& settings, const std::function<void()>& on_ready);
  int end_;
  std::string directory_, socket_path_;
  io::EventLoop* loop_ = nullptr;
  SocketService* service_ = nullptr;
  host::Host* host_ = nullptr;
  std::thread thread_;
};

/// A link and the worlds at both its ends.
struct Worlds {
  MemoryLink link;
  World client{link, 0};
  World server{link, 1};
};

}  // namespace braid::service
