// Carries a byte stream between two ends, both ways: bytes as fast as the slower side takes them, the end of
// each direction by itself (half-close), and a reset of one as a reset of the other. It holds no bytes of its
// own: what one side can't take stays in the other, whose window then closes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "relay/stream_end.h"

namespace braid::relay {

class Relay {
 public:
  enum class End : uint8_t {
    kFinished,  // both directions came to their ends
    kFirstReset,
    kSecondReset,
  };
  /// Called once, in the loop; the relay must not be destroyed in it.
  using EndHandler = std::function<void(End)>;

  /// Begins with start(), and resets both ends when it is destroyed before it is over.
  Relay(std::unique_ptr<StreamEnd> first, std::unique_ptr<StreamEnd> second, EndHandler on_end);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  /// What waits already is carried at once.
  void start();
  bool is_over() const { return is_over_; }

  uint64_t bytes_to_second() const { return to_second_.bytes; }
  uint64_t bytes_to_first() const { return to_first_.bytes; }

 private:
  struct Direction {
    uint64_t bytes = 0;
    bool is_finished = false;
  };
  void run();
  static void carry(StreamEnd& from, StreamEnd& to, Direction& direction);
  void end(End how);

  std::unique_ptr<StreamEnd> first_, second_;
  EndHandler on_end_;
  Direction to_second_, to_first_;
  bool is_over_ = false;
};

}  // namespace braid::relay
