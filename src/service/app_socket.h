// One socket of a program, as the daemon keeps it.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "host/host.h"
#include "io/file_descriptor.h"
#include "service/accept_queue.h"
#include "service/port_table.h"
#include "service/socket_options.h"
#include "service/stream_pump.h"
#include "wire/address.h"

namespace braid::service {

struct AppSocket {
  enum class State : uint8_t {
    kIdle,  // socket(), maybe bind()
    kListening,
    kConnecting,
    kConnected,
    kFailed,  // connect() failed; our end is gone, the program may try again
  };

  /// A connect() under way. The copy of the program's end is there to work on its buffer: filler in its send
  /// queue keeps it from polling as writable until we read that.
  struct Attempt {
    io::FileDescriptor program_end;
    size_t filler_bytes = 0;
    bool wants_record = false;
  };

  uint64_t id = 0;
  bool is_ipv6 = false;
  int protocol = 0;  // as socket() had it
  pid_t pid = 0;     // of the program that made it
  uint32_t uid = 0;
  State state = State::kIdle;

  SocketOptions options;
  std::shared_ptr<Binding> binding;
  io::FileDescriptor fd;  // our end, until the pump or the queue has it
  host::ConnectionId connection = host::ConnectionId::kNone;
  std::optional<Attempt> attempt;
  std::unique_ptr<StreamPump> pump;
  std::unique_ptr<AcceptQueue> queue;
  wire::Endpoint local, remote;      // once connecting
  int error = 0;                     // SO_ERROR
  bool owes_connect_result = false;  // the outcome has not been told by a connect() yet
};

}  // namespace braid::service
