#include "sim/queue/fq_codel.h"

#include <algorithm>

#include "sim/flow_hash.h"

namespace braid::sim {

FqCodel::FqCodel(const QueueConfig& config, ChunkPool& pool, RandomSource& random)
    : config_(config), pool_(pool), salt_(random.next64()), flows_(std::max(config.fq_flows, 1u)) {
  if (config_.limit_bytes == 0 && config_.limit_packets == 0) config_.limit_packets = 10240;
}

void FqCodel::enqueue(Packet packet, Time now) {
  const auto index = static_cast<uint32_t>(flow_hash(packet.bytes.bytes(), salt_) % flows_.size());
  Flow& flow = flows_[index];
  bytes_ += packet.bytes.size();
  ++packets_;
  flow.fifo.push(std::move(packet), now);
  if (!flow.is_listed) {
    flow.is_listed = true;
    flow.deficit = config_.fq_quantum_bytes;
    new_.push_back(index);
  }
  while ((config_.limit_bytes != 0 && bytes_ > config_.limit_bytes) ||
         (config_.limit_packets != 0 && packets_ > config_.limit_packets)) {
    drop_from_fattest();
  }
}

/// From the head of the flow that holds most, so that the sender hears of it early (RFC 8290, 4.1.3).
void FqCodel::drop_from_fattest() {
  auto fattest = std::max_element(flows_.begin(), flows_.end(), [](const Flow& a, const Flow& b) {
    return a.fifo.bytes() < b.fifo.bytes();
  });
  const uint64_t size = fattest->fifo.pop().packet.bytes.size();
  bytes_ -= size;
  --packets_;
  ++dropped_;
}

std::optional<Packet> FqCodel::dequeue(Time now) {
  while (!new_.empty() || !old_.empty()) {
    const bool is_new = !new_.empty();
    const uint32_t index = is_new ? new_.front() : old_.front();
    Flow& flow = flows_[index];
    if (flow.deficit <= 0) {
      flow.deficit += config_.fq_quantum_bytes;
      (is_new ? new_ : old_).pop_front();
      old_.push_back(index);
      continue;
    }
    CodelFlow::Outcome outcome;
    std::optional<Packet> packet = flow.codel.dequeue(flow.fifo, config_, pool_, now, outcome);
    dropped_ += outcome.dropped;
    marked_ += outcome.marked;
    bytes_ -= outcome.dropped_bytes;
    packets_ -= static_cast<uint32_t>(outcome.dropped);
    if (!packet) {
      // A new flow that ran dry has one more turn among the old, or it could starve them.
      (is_new ? new_ : old_).pop_front();
      if (is_new && !old_.empty()) {
        old_.push_back(index);
      } else {
        flow.is_listed = false;
      }
      continue;
    }
    const auto size = packet->bytes.size();
    flow.deficit -= static_cast<int64_t>(size);
    bytes_ -= size;
    --packets_;
    return packet;
  }
  return std::nullopt;
}

}  // namespace braid::sim
