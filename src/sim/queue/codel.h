// CoDel (RFC 8289): drops by how long packets have waited, at the head of the queue.
#pragma once

#include "sim/queue/packet_fifo.h"
#include "sim/queue/queue.h"

namespace braid::sim {

/// The control law over one fifo; FQ-CoDel has one for each flow.
class CodelFlow {
 public:
  struct Outcome {
    uint64_t dropped = 0, dropped_bytes = 0, marked = 0;
  };
  /// The next packet to send, after those that are dropped; `outcome` counts these.
  std::optional<Packet> dequeue(PacketFifo& fifo, const QueueConfig& config, ChunkPool& pool, Time now,
                                Outcome& outcome);

 private:
  struct Head {
    std::optional<Packet> packet;
    bool may_drop = false;  // waited too long for a whole interval
  };
  Head take(PacketFifo& fifo, const QueueConfig& config, Time now);
  bool give_up(Packet& packet, const QueueConfig& config, ChunkPool& pool, Outcome& outcome);
  Time next_drop(Time from, const QueueConfig& config) const;

  Time first_above_{};  // epoch: not above the target
  Time drop_next_{};
  uint32_t count_ = 0, last_count_ = 0;
  bool is_dropping_ = false;
};

class Codel final : public Queue {
 public:
  Codel(const QueueConfig& config, ChunkPool& pool);
  void enqueue(Packet packet, Time now) override;
  std::optional<Packet> dequeue(Time now) override;

 private:
  QueueConfig config_;
  ChunkPool& pool_;
  PacketFifo fifo_;
  CodelFlow flow_;
};

}  // namespace braid::sim
