// Moves bytes between a connection and the daemon's end of a program's socket, in both directions, as fast as
// both sides take them: what the program can't take stays in the connection, whose window then closes; what
// the connection can't take stays in the Unix socket, whose writer then blocks.
#pragma once

#include <cstdint>
#include <functional>

#include "host/host.h"
#include "io/file_descriptor.h"
#include "io/live_host.h"

namespace braid::service {

class StreamPump {
 public:
  enum class End : uint8_t {
    kClosed,   // the program closed its last descriptor; everything it wrote is in the connection
    kAborted,  // it closed with unread bytes: TCP resets then (RFC 2525, 2.17)
  };
  /// Called at most once, in the loop; the pump may be destroyed in it.
  using EndHandler = std::function<void(End)>;

  /// `fd` is non-blocking in effect, whatever its flags say. `live` outlives the pump.
  StreamPump(io::LiveHost& live, io::FileDescriptor fd, host::ConnectionId connection, EndHandler on_end);
  ~StreamPump();
  StreamPump(const StreamPump&) = delete;
  StreamPump& operator=(const StreamPump&) = delete;

  /// Everything the program has written so far goes to the connection, as far as it has room.
  void from_program();
  /// Everything readable goes to the program, as far as it takes it; then the end of the stream, if it is
  /// there.
  void to_program();

  int descriptor() const { return fd_.get(); }
  host::ConnectionId connection() const { return connection_; }

 private:
  enum class Progress : uint8_t { kMore, kBlocked, kEnd };
  void on_ready(io::Readiness readiness);
  Progress read_once(mptcp::Connection& connection);
  void finish_if_hung_up();
  void update_interest();
  bool is_hung_up_now() const;

  io::LiveHost& live_;
  io::FileDescriptor fd_;
  host::ConnectionId connection_;
  EndHandler on_end_;
  uint8_t read_step_ = 1;
  bool is_program_finished_ = false;  // it shut down its sending side
  bool is_connection_full_ = false;   // wait for room there
  bool is_program_full_ = false;      // wait for EPOLLOUT
  bool is_program_deaf_ = false;      // it shut down its receiving side: bytes for it are thrown away
  bool is_end_delivered_ = false;
  bool is_hung_up_ = false;  // closed; only what it wrote is left to pass on
  bool was_aborted_ = false;
};

}  // namespace braid::service
