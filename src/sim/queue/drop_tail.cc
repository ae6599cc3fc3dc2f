#include "sim/queue/drop_tail.h"

namespace braid::sim {

DropTail::DropTail(const QueueConfig& config)
    : limit_bytes_(config.limit_bytes), limit_packets_(config.limit_packets) {}

void DropTail::enqueue(Packet packet, Time now) {
  const size_t size = packet.bytes.size();
  if ((limit_bytes_ != 0 && bytes_ + size > limit_bytes_) ||
      (limit_packets_ != 0 && packets_ >= limit_packets_)) {
    ++dropped_;
    return;
  }
  bytes_ += size;
  ++packets_;
  fifo_.push(std::move(packet), now);
}

std::optional<Packet> DropTail::dequeue(Time /*now*/) {
  if (fifo_.empty()) return std::nullopt;
  Packet packet = fifo_.pop().packet;
  bytes_ -= packet.bytes.size();
  --packets_;
  return packet;
}

}  // namespace braid::sim
