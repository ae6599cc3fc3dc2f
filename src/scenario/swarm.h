// Swarm testing: random scenarios by seed, in each of which some kinds of faults are switched off altogether
// and others exaggerated (Groce et al., 2012). First faults, then one path heals and everything must arrive.
#pragma once

#include <cstdint>
#include <string>

#include "scenario/scenario.h"

namespace braid::scenario {

/// kUsual leaves out what is drawn now and then (swarm_rarities.h): seeds that were noted before it came.
enum class Draw : uint8_t { kUsual, kAll };

/// The plan of a seed: the same on every machine.
Scenario plan_of(uint64_t seed, Draw draw = Draw::kAll);

/// Runs it twice. Empty: all is as it must be; else what is not.
std::string violation_of(const Scenario& plan);

/// A smaller plan that is still in violation: fewer workloads, events, boxes, faults, bytes.
Scenario shrink(Scenario plan);

/// For people: what the plan has in it.
std::string describe(const Scenario& plan);

}  // namespace braid::scenario
