// FQ-CoDel (RFC 8290): a CoDel queue for each of many hashed flows, served by deficit round robin, new flows
// first.
#pragma once

#include <vector>

#include "base/ring.h"
#include "sim/queue/codel.h"

namespace braid::sim {

class FqCodel final : public Queue {
 public:
  FqCodel(const QueueConfig& config, ChunkPool& pool, RandomSource& random);
  void enqueue(Packet packet, Time now) override;
  std::optional<Packet> dequeue(Time now) override;

 private:
  struct Flow {
    PacketFifo fifo;
    CodelFlow codel;
    int64_t deficit = 0;
    bool is_listed = false;
  };
  void drop_from_fattest();

  QueueConfig config_;
  ChunkPool& pool_;
  uint64_t salt_;
  std::vector<Flow> flows_;
  Ring<uint32_t> new_, old_;  // indices of flows
};

}  // namespace braid::sim
