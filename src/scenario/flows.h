// Which connections a scenario's workloads make: the same in the simulator and in real time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "scenario/scenario.h"

namespace braid::scenario {

struct FlowPlan {
  const WorkloadSpec* spec;
  uint16_t port;          // of the server: each connection has one of its own there
  std::string seed_name;  // for Network::seed_for()
};

/// The scenario outlives it.
std::vector<FlowPlan> flows_of(const Scenario& scenario);

}  // namespace braid::scenario
