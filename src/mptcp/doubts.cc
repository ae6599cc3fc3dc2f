// Doubts about a path: its ACKs are overdue. A retransmission timeout would tell in the end, but it waits 200
// ms at least, for a TCP that has no other path; here a wrong guess costs some octets sent twice.
#include <algorithm>

#include "mptcp/connection_impl.h"

namespace braid::mptcp {

namespace {

constexpr Duration kLeastPatience = 20ms;
constexpr Duration kPeersDelayedAck = 40ms;

}  // namespace

/// When the ACK of what waits longest is overdue, and nothing else was acknowledged for a while either;
/// kNever if nothing waits, or nobody else could take over.
Time Connection::Impl::doubt_deadline(const MptcpSubflow& subflow) const {
  const tcp::LossRecovery& recovery = subflow.recovery();
  if (subflow.is_silent() || !subflow.is_usable() || !recovery.has_outstanding() ||
      !negotiation.is_multipath())
    return kNever;
  const bool has_other = std::ranges::any_of(subflows, [&](const auto& other) {
    return other.get() != &subflow && other->is_usable() && !other->is_silent();
  });
  if (!has_other) return kNever;
  const tcp::RttEstimator& rtt = recovery.rtt();
  const Duration srtt = rtt.srtt();
  const uint64_t in_flight = std::max<uint64_t>(recovery.in_flight_bytes(), 1);
  // Between one ACK, of two segments, and the next.
  const auto spacing =
      std::min(srtt, Duration(static_cast<int64_t>(static_cast<double>(srtt.count()) * 2 * subflow.mss() /
                                                   static_cast<double>(in_flight))));
  const Duration patience = std::max({2 * rtt.rttvar(), srtt / 8, kLeastPatience, 2 * spacing});
  // A segment alone, the last of a burst of an odd number, waits at the peer for another, or for its timer.
  const Time sent_at = earlier(recovery.prompt_ack_sent_at(), recovery.oldest_sent_at() + kPeersDelayedAck);
  return std::max(sent_at + srtt, recovery.stalled_since()) + patience;
}

void Connection::Impl::advance_doubts() {
  if (subflows.size() < 2) return;
  for (const auto& subflow : subflows) {
    if (subflow->is_doubted && has_sign_of_life(*subflow)) {
      subflow->is_doubted = false;
      if (subflow->is_stalled()) continue;
      // After a timeout that it answered again is said already.
      if (is_logged() && !subflow->is_doubt_confirmed) log({.kind = Decision::Kind::kPathTrusted}, *subflow);
      sending.reinjections.forget(subflow->index);
      subflow->reinjected_to = subflow->snd_una();
      is_another_round_due = true;
    } else if (doubt_deadline(*subflow) <= now) {
      subflow->is_doubted = true;
      subflow->doubted_at = now;
      subflow->is_doubt_confirmed = false;
      const uint64_t offered = offer_to_others(*subflow);
      if (is_logged()) log({.kind = Decision::Kind::kPathDoubted, .amount = offered}, *subflow);
    }
  }
}

bool Connection::Impl::has_sign_of_life(const MptcpSubflow& subflow) {
  const tcp::LossRecovery& recovery = subflow.recovery();
  return !recovery.has_outstanding() || recovery.stalled_since() > subflow.doubted_at;
}

}  // namespace braid::mptcp
