#include "mptcp/scheduler/preference.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace braid::mptcp {

namespace {

/// 44 segments of an Ethernet path: with headers as much as one IP packet holds.
constexpr uint64_t kLargestGrant = 44 * 1460;
constexpr uint64_t kThinSegments = 5;
constexpr int kTrialRoundTrips = 16;
constexpr double kTrialCost = 1.0 / 64;  // of the time, at most
// The path in use stays so: changing costs a round trip of either.
constexpr double kStaying = 1.1;
constexpr double kAhead = 1.3;  // round trips: with a margin for a loss
constexpr double kRepair = 2;   // round trips more, if a probe has to find the loss
// Who carries so many times less than another does not gain what a stall would cost: there must be room for
// the round trip that the repair of a loss takes as well.
constexpr double kNegligible = 8;

double seconds(Duration duration) { return static_cast<double>(duration.count()) * 1e-9; }

/// Its congestion window a round trip or two from now.
double soon_cwnd_bytes(const SubflowView& subflow, uint64_t window_bytes) {
  const auto cwnd = static_cast<double>(subflow.cwnd_bytes);
  const double known = std::max(subflow.usual_rate, subflow.shown_rate) * seconds(subflow.srtt);
  const double soon = std::max(subflow.usual_rate > 0 ? cwnd : 4 * cwnd, known);
  return std::min(soon, static_cast<double>(window_bytes));
}

}  // namespace

Preference preference_of(const SubflowView& subflow) {
  if (!subflow.is_usable) return Preference::kUnusable;
  if (subflow.is_stalled) return subflow.is_backup ? Preference::kStalledBackup : Preference::kStalled;
  return subflow.is_backup ? Preference::kBackup : Preference::kRegular;
}

bool is_preferred(const ScheduleInput& input) {
  const Preference mine = preference_of(*input.asking);
  return mine != Preference::kUnusable &&
         std::ranges::none_of(input.subflows, [&](const SubflowView& s) { return preference_of(s) < mine; });
}

void rank_by_rtt(std::span<const SubflowView> subflows, std::span<uint8_t> order) {
  std::iota(order.begin(), order.end(), uint8_t{0});
  const auto key = [&](uint8_t position) {
    const SubflowView& s = subflows[position];
    return std::tuple(preference_of(s), s.srtt == Duration{0} ? Duration::max() : s.srtt, s.index);
  };
  std::sort(order.begin(), order.end(), [&](uint8_t a, uint8_t b) { return key(a) < key(b); });
}

const SubflowView* fastest_peer(const ScheduleInput& input) {
  const SubflowView* fastest = nullptr;
  for (const SubflowView& s : input.subflows) {
    if (preference_of(s) != preference_of(*input.asking) || s.srtt == Duration{0}) continue;
    if (fastest == nullptr || s.srtt < fastest->srtt) fastest = &s;
  }
  return fastest;
}

bool is_due_for_trial(const SubflowView& subflow, std::span<const SubflowView> subflows) {
  if (preference_of(subflow) != Preference::kRegular || subflow.idle == Duration{0}) return false;
  const SubflowView* fastest = nullptr;
  for (const SubflowView& other : subflows) {
    if (preference_of(other) != Preference::kRegular || other.srtt == Duration{0}) continue;
    if (fastest == nullptr || other.srtt < fastest->srtt) fastest = &other;
  }
  if (fastest == nullptr || fastest->index == subflow.index || subflow.min_rtt >= 2 * fastest->srtt ||
      fastest->in_flight_bytes < 2 * kTrialSegments * fastest->mss)
    return false;
  // How much later than the fastest's its data arrive: for so long they may keep it waiting.
  double later = std::max(0.0, seconds(subflow.min_rtt) - seconds(fastest->srtt));
  const double rate = std::max(subflow.usual_rate, subflow.shown_rate);
  if (rate > 0) later += static_cast<double>(kTrialSegments * subflow.mss) / rate;
  return subflow.idle > kTrialRoundTrips * fastest->srtt && kTrialCost * seconds(subflow.idle) > later;
}

uint64_t grant_size(const ScheduleInput& input) {
  const SubflowView& asking = *input.asking;
  const uint64_t possible = std::min({asking.room_bytes, input.waiting_bytes, kLargestGrant});
  if (possible == input.waiting_bytes || asking.mss == 0) return possible;
  if (possible >= asking.mss) return possible - possible % asking.mss;
  const bool is_idle = asking.in_flight_bytes == 0 && asking.unsent_bytes == 0;
  return is_idle ? possible : 0;
}

double rate_of(const SubflowView& subflow, uint64_t window_bytes) {
  if (subflow.srtt == Duration{0}) return 0;
  // What an idle path's queue did when it was last in use is of no interest.
  const bool is_idle = subflow.in_flight_bytes == 0 && subflow.unsent_bytes == 0;
  const double most = static_cast<double>(window_bytes) / seconds(is_idle ? subflow.min_rtt : subflow.srtt);
  return subflow.usual_rate > 0 ? std::min(subflow.usual_rate, most) : most;
}

uint64_t unblocking_bytes(const ScheduleInput& input) {
  const SubflowView& asking = *input.asking;
  const Preference mine = preference_of(asking);
  const uint64_t held = asking.in_flight_bytes + asking.unsent_bytes;
  // What an idle path's queue did when it was last in use is of no interest. With a window of a few segments
  // a loss is found by its probe only, after two round trips more (RFC 8985, 7.2).
  const bool is_thin = asking.cwnd_bytes < kThinSegments * uint64_t{asking.mss};
  const Duration round_trip = (held == 0 ? asking.min_rtt : asking.srtt) * (is_thin ? 3 : 1);
  const double my_rate = rate_of(asking, input.window_bytes);
  double meanwhile = 0;
  uint64_t most = UINT64_MAX;
  bool has_better = false;
  for (const SubflowView& other : input.subflows) {
    if (other.index == asking.index || preference_of(other) != mine || other.srtt == Duration{0}) continue;
    const double its_rate = rate_of(other, input.window_bytes);
    has_better = has_better || its_rate * (other.in_flight_bytes > held ? kStaying : 1) >
                                   my_rate * (other.in_flight_bytes < held ? kStaying : 1);
    const bool is_worth_a_stall = my_rate * kNegligible > its_rate;
    // Data that arrive before what the other has sent by now keep nobody waiting.
    const double ahead = seconds(other.srtt) / kAhead - seconds(round_trip);
    if (is_worth_a_stall && ahead >= 0) continue;
    // However little the path has carried up to now: as much as is repaired before then as well.
    const double in_time = my_rate * (ahead - kRepair * seconds(round_trip)) - static_cast<double>(held);
    if (!is_worth_a_stall && in_time >= asking.mss) {
      most = std::min(most, static_cast<uint64_t>(in_time));
      continue;
    }
    const double round_trips = seconds(round_trip) / seconds(other.srtt) + (is_worth_a_stall ? 0 : 1);
    meanwhile += round_trips * soon_cwnd_bytes(other, input.window_bytes);
  }
  if (!has_better) return UINT64_MAX;
  if (meanwhile == 0) return most;
  const double room =
      static_cast<double>(input.window_bytes) - input.caution * meanwhile - static_cast<double>(held);
  return room > 0 ? std::min(most, static_cast<uint64_t>(room)) : 0;
}

}  // namespace braid::mptcp
