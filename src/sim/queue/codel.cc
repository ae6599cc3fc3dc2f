#include "sim/queue/codel.h"

#include <cmath>

namespace braid::sim {

namespace {
constexpr uint64_t kMaxPacket = 1514;  // with less than that waiting, nothing is dropped (RFC 8289, 4.4)
}

CodelFlow::Head CodelFlow::take(PacketFifo& fifo, const QueueConfig& config, Time now) {
  Head head;
  if (fifo.empty()) {
    first_above_ = Time{};
    return head;
  }
  PacketFifo::Entry entry = fifo.pop();
  const Duration sojourn = now - entry.at;
  if (sojourn < config.codel_target || fifo.bytes() <= kMaxPacket) {
    first_above_ = Time{};
  } else if (first_above_ == Time{}) {
    first_above_ = now + config.codel_interval;
  } else {
    head.may_drop = now >= first_above_;
  }
  head.packet = std::move(entry.packet);
  return head;
}

Time CodelFlow::next_drop(Time from, const QueueConfig& config) const {
  return from + Duration(static_cast<int64_t>(static_cast<double>(config.codel_interval.count()) /
                                              std::sqrt(static_cast<double>(count_))));
}

/// True: dropped. False: marked, and to be sent.
bool CodelFlow::give_up(Packet& packet, const QueueConfig& config, ChunkPool& pool, Outcome& outcome) {
  if (config.is_marking && mark_congestion(packet, pool)) {
    ++outcome.marked;
    return false;
  }
  ++outcome.dropped;
  outcome.dropped_bytes += packet.bytes.size();
  return true;
}

std::optional<Packet> CodelFlow::dequeue(PacketFifo& fifo, const QueueConfig& config, ChunkPool& pool,
                                         Time now, Outcome& outcome) {
  Head head = take(fifo, config, now);
  if (!head.packet) {
    is_dropping_ = false;
    return std::nullopt;
  }
  if (is_dropping_) {
    if (!head.may_drop) is_dropping_ = false;
    while (is_dropping_ && now >= drop_next_) {
      ++count_;
      if (!give_up(*head.packet, config, pool, outcome)) {
        drop_next_ = next_drop(drop_next_, config);
        break;
      }
      head = take(fifo, config, now);
      if (!head.may_drop) {
        is_dropping_ = false;
      } else {
        drop_next_ = next_drop(drop_next_, config);
      }
      if (!head.packet) return std::nullopt;
    }
  } else if (head.may_drop) {
    if (give_up(*head.packet, config, pool, outcome)) head = take(fifo, config, now);
    is_dropping_ = true;
    // Soon after the last time the rate that controlled the queue then is a good start.
    const uint32_t delta = count_ - last_count_;
    count_ = delta > 1 && now - drop_next_ < 16 * config.codel_interval ? delta : 1;
    drop_next_ = next_drop(now, config);
    last_count_ = count_;
  }
  return std::move(head.packet);
}

Codel::Codel(const QueueConfig& config, ChunkPool& pool) : config_(config), pool_(pool) {}

void Codel::enqueue(Packet packet, Time now) {
  if ((config_.limit_bytes != 0 && bytes_ + packet.bytes.size() > config_.limit_bytes) ||
      (config_.limit_packets != 0 && packets_ >= config_.limit_packets)) {
    ++dropped_;
    return;
  }
  bytes_ += packet.bytes.size();
  ++packets_;
  fifo_.push(std::move(packet), now);
}

std::optional<Packet> Codel::dequeue(Time now) {
  CodelFlow::Outcome outcome;
  std::optional<Packet> packet = flow_.dequeue(fifo_, config_, pool_, now, outcome);
  dropped_ += outcome.dropped;
  marked_ += outcome.marked;
  bytes_ = fifo_.bytes();
  packets_ = static_cast<uint32_t>(fifo_.packets());
  return packet;
}

}  // namespace braid::sim
