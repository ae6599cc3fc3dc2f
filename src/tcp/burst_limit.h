// How much may go out at once. What ACKs clock out is spread by the path itself; but a window that was not in
// use, because the peer's was shut, the application silent or the data another subflow's, would leave in one
// burst, which overflows a short queue long before the path is full (RFC 5681, 4.1; RFC 7661, 4.4.3).
#pragma once

#include <cstdint>

#include "base/time.h"

namespace braid::tcp {

/// Two buckets of octets, of which the fuller counts. ACKs fill one with as much as they acknowledged, in
/// slow start with twice that, so that what they clock out never waits. Time fills the other at a window a
/// round trip, the pace that a full window would have.
class BurstLimit {
 public:
  /// What the pace depends on. Without a round-trip time there is no limit.
  struct Window {
    uint64_t cwnd_bytes = 0;
    Duration srtt{0};
    uint32_t mss_bytes = 0;
    bool is_slow_start = false;
  };

  void on_ack(uint64_t acked_bytes, const Window& window);
  void on_sent(uint64_t bytes);
  /// Octets, whole segments. If it is 0, next_deadline() says when there will be more.
  uint64_t allowance_bytes(Time now, const Window& window);

  Time next_deadline() const { return deadline_; }
  void on_deadline() { deadline_ = kNever; }

 private:
  static double bytes_per_ns(const Window& window);
  static double most_bytes(const Window& window);

  // No limit for the first: the initial window is one.
  double by_acks_bytes_ = 1e9, by_time_bytes_ = 0;
  Time filled_at_{};
  Time deadline_ = kNever;
};

}  // namespace braid::tcp
