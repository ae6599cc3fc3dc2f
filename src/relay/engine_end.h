// A connection of a live host as an end of a relay.
#pragma once

#include "host/host.h"
#include "io/live_host.h"
#include "relay/stream_end.h"

namespace braid::relay {

class EngineEnd final : public StreamEnd {
 public:
  /// An open connection, which is the end's from now on. `live` outlives it.
  EngineEnd(io::LiveHost& live, host::ConnectionId connection);
  ~EngineEnd() override;  ///< resets a connection that was neither closed nor reset

  size_t readable_runs(std::span<Bytes> runs) override;
  void consume(size_t bytes) override;
  bool is_at_end() const override;
  size_t write(std::span<const Bytes> runs) override;
  void finish() override;
  bool has_failed() const override { return has_failed_; }
  void close() override;
  void reset() override;

 private:
  void on_event(const host::Event& event);
  mptcp::Connection* connection() const { return live_.host().find(connection_); }
  bool let_go();

  io::LiveHost& live_;
  host::ConnectionId connection_;
  bool has_failed_ = false, is_gone_ = false;
};

}  // namespace braid::relay
