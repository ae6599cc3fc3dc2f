// What no single seed of the swarm can show: over many shared bottlenecks, the subflows of a connection with
// coupled congestion control take no more than one TCP (RFC 6356, 2, goal 2).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "scenario/scenario.h"

namespace braid::scenario {

/// One seed in so many draws a bottleneck besides.
inline constexpr uint64_t kSeedsPerBottleneck = 20;

/// A connection of two to four subflows and one of plain TCP (Reno) over one link, drawn by seed.
Scenario bottleneck_of(uint64_t seed);

/// What the first took, in terms of the second.
double share_of_coupled(const Scenario& bottleneck);

struct FairnessVerdict {
  double mean = 0;          // geometric
  double ninth_decile = 0;  // nine of ten shares are below
  bool is_judged = false;   // there were enough
  bool is_fair = true;
};
FairnessVerdict judge_shares(std::vector<double> shares);

}  // namespace braid::scenario
