// A socket of the kernel's as an end of a relay.
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>

#include "base/chunk.h"
#include "io/event_loop.h"
#include "io/file_descriptor.h"
#include "relay/stream_end.h"
#include "wire/address.h"

namespace braid::relay {

/// A TCP socket that is connecting to `remote`, non-blocking; or connect()'s errno.
tl::expected<io::FileDescriptor, int> start_kernel_connect(const wire::Endpoint& remote);

class KernelEnd final : public StreamEnd {
 public:
  /// A stream socket that is connected, or connecting: then nothing is read or taken before it is up, and its
  /// failing is the end's. `pool` lends what holds bytes that were read and can't be passed on yet.
  KernelEnd(io::EventLoop& loop, ChunkPool& pool, io::FileDescriptor fd);
  ~KernelEnd() override;

  /// Is sent before everything that is written: at most some hundred bytes.
  void set_preamble(std::string preamble) { preamble_ = std::move(preamble); }
  bool is_connected() const { return is_connected_; }
  /// Why it failed: an errno.
  int error() const { return error_; }

  size_t readable_runs(std::span<Bytes> runs) override;
  void consume(size_t bytes) override;
  bool is_at_end() const override { return has_end_ && held_.size() == 0; }
  size_t write(std::span<const Bytes> runs) override;
  void finish() override;
  bool has_failed() const override { return error_ != 0; }
  void close() override;
  void reset() override;

 private:
  void on_ready(io::Readiness readiness);
  void finish_connecting();
  bool is_preamble_sent();
  void read_some();
  void fail(int error);
  void update_interest();
  void leave_loop();

  io::EventLoop& loop_;
  ChunkPool& pool_;
  io::FileDescriptor fd_;
  std::string preamble_;
  Slice held_;  // read, not consumed
  int error_ = 0, write_error_ = 0;
  uint8_t read_step_ = 0;
  bool is_connected_ = false, is_in_loop_ = true;
  bool has_end_ = false;  // the other side has finished
  bool is_full_ = false;  // a write was cut short
  bool is_finishing_ = false, is_finished_ = false;
};

}  // namespace braid::relay
