// What waits before a link. One class a discipline, by name: drop-tail, red, codel, fq-codel.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "base/random.h"
#include "sim/packet.h"

namespace braid::sim {

struct QueueConfig {
  std::string discipline = "drop-tail";
  /// The most that waits; the packet that would go over one of them is dropped. 0: no such limit.
  uint64_t limit_bytes = 0;
  uint32_t limit_packets = 0;
  /// RED (Floyd and Jacobson, 1993; "gentle"): bytes of the average at which it begins, and at which each is
  /// dropped with max_probability (from there on it rises to 1 at twice that). 0: a quarter and three
  /// quarters of the limit.
  uint64_t red_min_bytes = 0, red_max_bytes = 0;
  double red_max_probability = 0.1;
  double red_weight = 0.002;
  /// CoDel and FQ-CoDel (RFC 8289, 8290).
  Duration codel_target = 5ms, codel_interval = 100ms;
  uint32_t fq_flows = 1024;
  uint32_t fq_quantum_bytes = 1514;
  /// red, codel, fq-codel: packets that say they can (ECT) are marked instead of dropped (RFC 3168).
  bool is_marking = false;
};

class Queue {
 public:
  virtual ~Queue() = default;
  /// Takes the packet, or drops it, or another in its place.
  virtual void enqueue(Packet packet, Time now) = 0;
  /// The next to send; an active queue may drop some before it. Nothing: empty.
  virtual std::optional<Packet> dequeue(Time now) = 0;

  uint64_t bytes() const { return bytes_; }
  uint32_t packets() const { return packets_; }
  uint64_t dropped() const { return dropped_; }
  uint64_t marked() const { return marked_; }

 protected:
  uint64_t bytes_ = 0;
  uint32_t packets_ = 0;
  uint64_t dropped_ = 0, marked_ = 0;
};

/// Names for `discipline`, for messages.
const std::vector<std::string>& queue_disciplines();
/// `pool` and `random` outlive it. Null: no such discipline.
std::unique_ptr<Queue> make_queue(const QueueConfig& config, ChunkPool& pool, RandomSource& random);

/// Sets Congestion Experienced; false if the packet does not say that its ends understand it (RFC 3168, 5).
bool mark_congestion(Packet& packet, ChunkPool& pool);

}  // namespace braid::sim
