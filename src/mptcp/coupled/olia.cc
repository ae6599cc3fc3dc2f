#include "mptcp/coupled/olia.h"

#include <algorithm>

namespace braid::mptcp {

void Olia::on_ack(const tcp::AckSample& sample) {
  since_loss_bytes_ += sample.acked_bytes;
  CoupledMember::on_ack(sample);
}

// Losses with nothing delivered between them are one: a timeout of what was sent again would else wipe out
// what the path was worth, and a path that looks worth nothing hardly grows again.
void Olia::on_loss() {
  if (since_loss_bytes_ == 0) return;
  between_losses_bytes_ = since_loss_bytes_;
  since_loss_bytes_ = 0;
}

void Olia::on_congestion(const tcp::LossSample& sample) {
  on_loss();
  CoupledMember::on_congestion(sample);
}

void Olia::on_timeout(const tcp::LossSample& sample, bool is_first) {
  if (is_first) on_loss();
  CoupledMember::on_timeout(sample, is_first);
}

double Olia::quality() const {
  return static_cast<double>(std::max(between_losses_bytes_, since_loss_bytes_)) /
         (rtt_seconds() * rtt_seconds());
}

double Olia::alpha() const {
  double best_quality = 0;
  uint64_t largest_window = 0;
  size_t paths = 0;
  for_each_peer([&](const CoupledMember& peer) {
    best_quality = std::max(best_quality, static_cast<const Olia&>(peer).quality());
    largest_window = std::max(largest_window, peer.cwnd_bytes());
    ++paths;
  });
  size_t largest = 0, collected = 0;  // the draft's max_w_paths; best_paths that are not among them
  for_each_peer([&](const CoupledMember& peer) {
    if (peer.cwnd_bytes() == largest_window) {
      ++largest;
    } else if (static_cast<const Olia&>(peer).quality() == best_quality) {
      ++collected;
    }
  });
  if (collected == 0 || rtt_seconds() <= 0) return 0;
  const auto share = 1 / static_cast<double>(paths);
  if (cwnd_bytes() == largest_window) return -share / static_cast<double>(largest);
  return quality() == best_quality ? share / static_cast<double>(collected) : 0;
}

// For each segment acknowledged (w / rtt^2) / (sum w / rtt)^2 + alpha / w segments.
double Olia::increase_bytes(const tcp::AckSample& sample, uint64_t acked_bytes) {
  const double total = total_rate();
  if (total <= 0 || rtt_seconds() <= 0) return Reno::increase_bytes(sample, acked_bytes);
  const auto window = static_cast<double>(cwnd_bytes());
  const double for_each_octet = rate() / rtt_seconds() / (total * total) + alpha() / window;
  return for_each_octet * static_cast<double>(std::min(acked_bytes, cwnd_bytes())) * mss_bytes();
}

}  // namespace braid::mptcp
