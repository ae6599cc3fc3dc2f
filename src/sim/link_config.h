// How one direction of a link behaves. Everything can be changed while packets are under way.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/time.h"
#include "sim/queue/queue.h"
#include "sim/rate_trace.h"

namespace braid::sim {

/// Loss in bursts (Gilbert, 1960; Elliott, 1963): a chain of two states, moved on with each packet.
struct GilbertElliott {
  double to_bad = 0, to_good = 1;      // probability of going over, per packet
  double loss_good = 0, loss_bad = 1;  // probability of loss in each state
  bool operator==(const GilbertElliott&) const = default;
};

enum class JitterShape : uint8_t { kUniform, kNormal };

struct LinkConfig {
  uint64_t bits_per_second = 0;            // 0: no limit
  std::shared_ptr<const RateTrace> trace;  // instead of the rate, if there is one
  Duration delay{0};                       // propagation
  /// Added to the delay: uniform in [0, jitter], or normal with this deviation (never negative). Packets stay
  /// in order.
  Duration jitter{0};
  JitterShape jitter_shape = JitterShape::kUniform;
  QueueConfig queue;
  // Probabilities, per packet that was sent.
  double loss = 0;
  uint32_t drop_every = 0;               // every so-manyth packet is lost, without chance; 0: none
  std::optional<GilbertElliott> bursts;  // besides `loss`
  double duplication = 0;
  double corruption = 0;  // one bit flips
  double reordering = 0;  // it comes late, by up to reordering_delay, and others overtake it
  Duration reordering_delay = 5ms;
  uint32_t mtu = 1500;
};

}  // namespace braid::sim
