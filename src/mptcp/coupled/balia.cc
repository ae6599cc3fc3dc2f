#include "mptcp/coupled/balia.h"

#include <algorithm>

namespace braid::mptcp {

double Balia::alpha() const {
  if (rate() <= 0) return 1;
  double fastest = rate();
  for_each_peer([&](const CoupledMember& peer) { fastest = std::max(fastest, peer.rate()); });
  return fastest / rate();
}

// For each segment acknowledged (x / rtt) / (sum x)^2 * (1 + alpha) / 2 * (4 + alpha) / 5 segments.
double Balia::increase_bytes(const tcp::AckSample& sample, uint64_t acked_bytes) {
  const double total = total_rate();
  if (total <= 0 || rate() <= 0) return Reno::increase_bytes(sample, acked_bytes);
  const double a = alpha();
  const double for_each_octet = rate() / rtt_seconds() / (total * total) * (1 + a) / 2 * (4 + a) / 5;
  return for_each_octet * static_cast<double>(std::min(acked_bytes, cwnd_bytes())) * mss_bytes();
}

// Less by w / 2 * min(alpha, 1.5).
uint64_t Balia::reduced_window_bytes(const tcp::LossSample& sample) const {
  const auto used = static_cast<double>(tcp::window_in_use_bytes(sample, cwnd_bytes(), mss_bytes()));
  const double left = used * (1 - std::min(alpha(), 1.5) / 2);
  return std::max(static_cast<uint64_t>(left), least_ssthresh_bytes());
}

}  // namespace braid::mptcp
