// The control connection of one process: requests come in, replies go out. Nothing in a request is believed
// before its size is checked.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "io/event_loop.h"
#include "io/file_descriptor.h"
#include "service/socket_protocol.h"

namespace braid::service {

struct ReceivedRequest {
  Request header;
  std::span<const std::byte> value;
  io::FileDescriptor socket;  // the program's end
  io::FileDescriptor other;
  pid_t pid = 0;
  uint32_t uid = 0;
};

struct Answer {
  Reply header;
  std::vector<std::byte> value;  // kMaxValue at most
};

class ClientChannel {
 public:
  struct Hooks {
    std::function<Answer(ReceivedRequest&)> handle;
    /// The process is gone or made no sense. Called once; the channel must live until process() returns.
    std::function<void(ClientChannel&)> on_closed;
  };

  ClientChannel(io::EventLoop& loop, io::FileDescriptor fd, Hooks hooks);
  ~ClientChannel();
  ClientChannel(const ClientChannel&) = delete;
  ClientChannel& operator=(const ClientChannel&) = delete;

  /// Handles requests that have arrived, a limited number at a time.
  void process();

 private:
  bool receive_one();
  void reply(const Answer& answer);
  void close();

  io::EventLoop& loop_;
  io::FileDescriptor fd_;
  Hooks hooks_;
  pid_t pid_ = 0;
  uint32_t uid_ = 0;
  bool is_closed_ = false;
  bool is_processing_ = false;
};

}  // namespace braid::service
