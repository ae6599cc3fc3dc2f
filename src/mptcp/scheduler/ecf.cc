#include "mptcp/scheduler/ecf.h"

#include <algorithm>

#include "mptcp/scheduler/preference.h"

namespace braid::mptcp {

namespace {

constexpr double kBeta = 0.25;  // hysteresis (section 3)

double seconds(Duration d) { return std::chrono::duration<double>(d).count(); }
/// How many windows the bytes are.
double windows(uint64_t bytes, const SubflowView& subflow) {
  return static_cast<double>(bytes) / static_cast<double>(std::max<uint64_t>(subflow.cwnd_bytes, 1));
}

}  // namespace

void Ecf::rank(std::span<const SubflowView> subflows, std::span<uint8_t> order) {
  rank_by_rtt(subflows, order);
}

// Algorithm 1, with its names in capitals: x_f is `fast`, x_s is `slow`, k is what waits.
uint64_t Ecf::grant(const ScheduleInput& input) {
  if (!is_preferred(input)) return 0;
  const SubflowView& slow = *input.asking;
  const uint64_t possible = grant_size(input);
  const SubflowView* fast = fastest_peer(input);
  // Waiting is for an ACK on the fast one: it must have something under way.
  if (fast == nullptr || fast == &slow || slow.srtt <= fast->srtt || fast->in_flight_bytes == 0)
    return possible;
  const double rtt_f = seconds(fast->srtt), rtt_s = seconds(slow.srtt);
  const double delta = seconds(std::max(fast->rttvar, slow.rttvar));
  const double fast_takes = (1 + windows(input.buffered_bytes, *fast)) * rtt_f;
  const bool is_fast_sooner = fast_takes < (1 + (is_waiting_ ? kBeta : 0)) * (rtt_s + delta);
  if (!is_fast_sooner) {
    is_waiting_ = false;
    return possible;
  }
  // Even the slow one's windows would take longer than two round trips of the fast one.
  if (windows(input.buffered_bytes, slow) * rtt_s < 2 * rtt_f + delta) return possible;
  is_waiting_ = true;
  return 0;
}

}  // namespace braid::mptcp
