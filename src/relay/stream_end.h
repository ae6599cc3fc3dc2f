// One end of a relay: a byte stream each way, whoever carries it.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <utility>

namespace braid::relay {

using Bytes = std::span<const std::byte>;

/// Nothing here blocks, and nothing calls the change handler from within a call of the relay's: only the
/// event loop does. One thread.
class StreamEnd {
 public:
  virtual ~StreamEnd() = default;

  // ---- what came from there
  /// Runs of bytes that have come, and are not consumed: how many were filled in. 0: none, for now or for
  /// good.
  virtual size_t readable_runs(std::span<Bytes> runs) = 0;
  /// Of what readable_runs() showed.
  virtual void consume(size_t bytes) = 0;
  /// The other side said that nothing more comes, and everything was consumed.
  virtual bool is_at_end() const = 0;

  // ---- what goes there
  /// Takes as much as there is room for. Less than all: the change handler is called when there is room
  /// again.
  virtual size_t write(std::span<const Bytes> runs) = 0;
  /// Nothing more goes there; what was written does (half-close).
  virtual void finish() = 0;

  // ---- its end
  /// The stream was reset, or was given up: nothing that is left of it can be trusted to arrive.
  virtual bool has_failed() const = 0;
  /// Both directions are over.
  virtual void close() = 0;
  virtual void reset() = 0;

  /// Called when any of the above may answer differently from before.
  void set_change_handler(std::function<void()> handler) { on_change_ = std::move(handler); }

 protected:
  void tell_change() const {
    if (on_change_) on_change_();
  }

 private:
  std::function<void()> on_change_;
};

}  // namespace braid::relay
