// Random Early Detection (Floyd and Jacobson, 1993), with the "gentle" slope above the upper threshold.
#pragma once

#include "sim/queue/packet_fifo.h"
#include "sim/queue/queue.h"

namespace braid::sim {

class Red final : public Queue {
 public:
  Red(const QueueConfig& config, ChunkPool& pool, RandomSource& random);
  void enqueue(Packet packet, Time now) override;
  std::optional<Packet> dequeue(Time now) override;
  /// As of the last packet that came.
  double average_bytes() const { return average_; }

 private:
  void update_average(Time now);
  bool is_chosen();

  QueueConfig config_;
  ChunkPool& pool_;
  RandomSource& random_;
  PacketFifo fifo_;
  double average_ = 0;
  uint32_t since_last_ = 0;      // packets since one was chosen
  Time idle_since_{};            // while empty
  Duration packet_time_{100us};  // of the packets that left last: how fast the average decays while idle
  Time last_departure_{};
  bool is_sending_ = false;  // since then: the next departure tells how long a packet takes
};

}  // namespace braid::sim
