#include "mptcp/scheduler/blest.h"

#include <algorithm>

#include "mptcp/scheduler/preference.h"

namespace braid::mptcp {

namespace {

// Where the authors' implementation begins, and its bounds.
constexpr double kLeastLambda = 1.0, kMostLambda = 1.3;
constexpr double kStepUp = 0.04, kStepDown = 0.02;

/// Octets that the subflow will send in that time if its window grows by a segment each round trip (section
/// III: X = MSS * (CWND + (rtts - 1) / 2) * rtts).
double bytes_sent_within(const SubflowView& subflow, Duration time) {
  const double rtts = static_cast<double>(time.count()) / static_cast<double>(subflow.srtt.count());
  return (static_cast<double>(subflow.cwnd_bytes) + subflow.mss * (rtts - 1) / 2) * rtts;
}

}  // namespace

void Blest::rank(std::span<const SubflowView> subflows, std::span<uint8_t> order) {
  rank_by_rtt(subflows, order);
}

/// Once in a round trip of the slow subflow: was the window in the way?
void Blest::adapt(const ScheduleInput& input) {
  if (input.now - adapted_at_ < input.asking->srtt) return;
  adapted_at_ = input.now;
  const bool was_stopped = input.window_stops != stops_seen_;
  stops_seen_ = input.window_stops;
  lambda_ = std::clamp(lambda_ + (was_stopped ? kStepUp : -kStepDown), kLeastLambda, kMostLambda);
}

uint64_t Blest::grant(const ScheduleInput& input) {
  if (!is_preferred(input)) return 0;
  const SubflowView& slow = *input.asking;
  const uint64_t possible = grant_size(input);
  const SubflowView* fast = fastest_peer(input);
  // Waiting is for an ACK on the fast one: it must have something under way.
  if (fast == nullptr || fast == &slow || slow.srtt <= fast->srtt || fast->in_flight_bytes == 0)
    return possible;
  adapt(input);
  const double reserved = lambda_ * bytes_sent_within(*fast, slow.srtt) +
                          static_cast<double>(slow.in_flight_bytes + slow.unsent_bytes);
  const double space = static_cast<double>(input.window_bytes) - reserved;
  if (space >= static_cast<double>(possible)) return possible;
  if (space < slow.mss) return 0;
  // The paper asks for each segment; a grant of many is cut to where it would have stopped.
  const auto bytes = static_cast<uint64_t>(space);
  return bytes - bytes % slow.mss;
}

}  // namespace braid::mptcp
