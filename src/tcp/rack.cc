#include "tcp/rack.h"

#include <algorithm>

namespace braid::tcp {

namespace {
constexpr uint32_t kDsackPersistence = 16;  // recoveries (RFC 8985, 6.2, step 4)
constexpr uint32_t kMaxWindowQuarters = 255;
}  // namespace

bool Rack::on_delivered(const Delivery& delivery, Time now, Duration min_rtt, Time echoed) {
  const bool was_overtaken = !delivery.is_retransmitted && delivery.end < forward_ack_;
  forward_ack_ = std::max(forward_ack_, delivery.end);
  has_reordering_ |= was_overtaken;
  const Duration rtt = now - delivery.sent_at;
  // It may be the first transmission that arrived, not this one (step 2).
  if (delivery.is_retransmitted && (echoed < delivery.sent_at || rtt < min_rtt)) return was_overtaken;
  rtt_ = rtt;
  if (transmission_ < delivery.transmission ||
      (transmission_ == delivery.transmission && end_ < delivery.end)) {
    transmission_ = delivery.transmission;
    end_ = delivery.end;
  }
  return was_overtaken;
}

void Rack::on_dsack(StreamOffset snd_una, StreamOffset snd_max) {
  if (snd_una < dsack_round_) return;
  dsack_round_ = snd_max;
  window_quarters_ = std::min(window_quarters_ + 1, kMaxWindowQuarters);
  recoveries_left_ = kDsackPersistence;
}

void Rack::on_recovery_end() {
  if (recoveries_left_ > 0 && --recoveries_left_ == 0) window_quarters_ = 1;
}

Duration Rack::reordering_window(Duration min_rtt, Duration srtt, bool is_impatient) const {
  if (!has_reordering_ && is_impatient) return Duration(0);
  return std::min(min_rtt / 4 * window_quarters_, srtt);
}

}  // namespace braid::tcp
