#include "mptcp/coupled/lia.h"

#include <algorithm>

namespace braid::mptcp {

// RFC 6356, 3 and 4.1: alpha = cwnd_total * max(cwnd_i / rtt_i^2) / (sum(cwnd_i / rtt_i))^2; cwnd_total
// cancels out.
double Lia::increase_bytes(const tcp::AckSample& sample, uint64_t acked_bytes) {
  const double alone = Reno::increase_bytes(sample, acked_bytes);
  double best = 0;
  for_each_peer([&](const CoupledMember& peer) { best = std::max(best, peer.rate() / peer.rtt_seconds()); });
  const double total = total_rate();
  if (total <= 0) return alone;
  const auto acked = static_cast<double>(std::min(acked_bytes, cwnd_bytes()));
  return std::min(best / (total * total) * acked * mss_bytes(), alone);
}

}  // namespace braid::mptcp
