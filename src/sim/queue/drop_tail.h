// First in, first out; what finds no room is dropped.
#pragma once

#include "sim/queue/packet_fifo.h"
#include "sim/queue/queue.h"

namespace braid::sim {

class DropTail final : public Queue {
 public:
  explicit DropTail(const QueueConfig& config);
  void enqueue(Packet packet, Time now) override;
  std::optional<Packet> dequeue(Time now) override;

 private:
  uint64_t limit_bytes_;
  uint32_t limit_packets_;
  PacketFifo fifo_;
};

}  // namespace braid::sim
