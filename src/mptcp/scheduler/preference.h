// What most schedulers agree on: how much a subflow deserves data at all, and how large a grant is.
#pragma once

#include <cstdint>
#include <span>

#include "mptcp/scheduler/scheduler.h"

namespace braid::mptcp {

/// Best first. Data never go to a subflow while a usable one of a better kind exists: backups wait for the
/// last regular subflow to be gone (RFC 8684, 3.3.8), and a silent path is only tried when nothing else is.
enum class Preference : uint8_t { kRegular, kBackup, kStalled, kStalledBackup, kUnusable };
Preference preference_of(const SubflowView& subflow);

/// Whether the asking subflow is of the best kind there is.
bool is_preferred(const ScheduleInput& input);

/// For rank(): by preference, then by smoothed RTT. A subflow without a sample comes last of its kind: it
/// gets one as soon as the others are full.
void rank_by_rtt(std::span<const SubflowView> subflows, std::span<uint8_t> order);

/// The one with the least RTT among those of the asking subflow's kind whose RTT is known, itself included;
/// null if none is.
const SubflowView* fastest_peer(const ScheduleInput& input);

/// What the asking subflow may have, its turn given: one super-segment, cut to whole segments unless it is
/// all that waits. Less than a segment only when nothing is under way that would make more room.
uint64_t grant_size(const ScheduleInput& input);

/// Whether bulk data have passed it over for so long that it is to be tried with a few segments, although the
/// fastest can use all of the window: what is known of it gets old, and a peer may open the window only as
/// far as the subflow goes that it tells of it on (Linux has a receive buffer for each). Not if its RTT would
/// keep the fastest waiting for more than about one of its own, and the seldomer the longer its segments
/// take.
bool is_due_for_trial(const SubflowView& subflow, std::span<const SubflowView> subflows);
constexpr uint64_t kTrialSegments = 10;  // an initial window (RFC 6928)

/// Octets a second that it is good for if it had all of the window to itself.
double rate_of(const SubflowView& subflow, uint64_t window_bytes);

/// How many octets the asking subflow may have without the others' running out of window before those are
/// acknowledged: while it holds the oldest octet, the others go on at their rates, and all of that has to
/// fit. (The estimate of BLEST, Ferlin et al., Networking 2016.) No limit for the subflow with the highest
/// rate, since somebody has to send.
uint64_t unblocking_bytes(const ScheduleInput& input);

}  // namespace braid::mptcp
