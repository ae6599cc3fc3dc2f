#include "sim/queue/red.h"

#include <algorithm>
#include <cmath>

namespace braid::sim {

Red::Red(const QueueConfig& config, ChunkPool& pool, RandomSource& random)
    : config_(config), pool_(pool), random_(random) {
  if (config_.limit_bytes == 0) config_.limit_bytes = uint64_t{1514} * std::max(config_.limit_packets, 1000u);
  if (config_.red_min_bytes == 0) config_.red_min_bytes = config_.limit_bytes / 4;
  if (config_.red_max_bytes == 0) config_.red_max_bytes = config_.limit_bytes * 3 / 4;
}

void Red::update_average(Time now) {
  if (packets_ == 0) {
    // As if so many small packets had found it empty.
    const double missed = static_cast<double>((now - idle_since_).count()) /
                          static_cast<double>(std::max<int64_t>(packet_time_.count(), 1));
    average_ *= std::pow(1 - config_.red_weight, missed);
    return;
  }
  average_ += config_.red_weight * (static_cast<double>(bytes_) - average_);
}

bool Red::is_chosen() {
  const auto least = static_cast<double>(config_.red_min_bytes);
  const auto most = static_cast<double>(config_.red_max_bytes);
  if (average_ < least) {
    since_last_ = 0;
    return false;
  }
  double probability = 1;
  if (average_ < most) {
    probability = config_.red_max_probability * (average_ - least) / (most - least);
  } else if (average_ < 2 * most) {
    probability = config_.red_max_probability + (1 - config_.red_max_probability) * (average_ - most) / most;
  }
  // Spread evenly rather than geometrically.
  const double spread = 1 - since_last_ * probability;
  const double chance = spread > 0 ? probability / spread : 1;
  ++since_last_;
  if (random_.unit() >= chance) return false;
  since_last_ = 0;
  return true;
}

void Red::enqueue(Packet packet, Time now) {
  update_average(now);
  const bool is_full = bytes_ + packet.bytes.size() > config_.limit_bytes ||
                       (config_.limit_packets != 0 && packets_ >= config_.limit_packets);
  if (is_full) {
    ++dropped_;
    return;
  }
  if (is_chosen()) {
    if (!config_.is_marking || !mark_congestion(packet, pool_)) {
      ++dropped_;
      return;
    }
    ++marked_;
  }
  bytes_ += packet.bytes.size();
  ++packets_;
  fifo_.push(std::move(packet), now);
}

std::optional<Packet> Red::dequeue(Time now) {
  if (fifo_.empty()) return std::nullopt;
  Packet packet = fifo_.pop().packet;
  bytes_ -= packet.bytes.size();
  if (is_sending_) packet_time_ = std::max(now - last_departure_, Duration(1));
  is_sending_ = --packets_ > 0;
  if (!is_sending_) idle_since_ = now;
  last_departure_ = now;
  return packet;
}

}  // namespace braid::sim
