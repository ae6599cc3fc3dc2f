// What plays a host's workloads, inside its namespace, over sockets: the kernel's, or Braid's by the
// preloaded library. It knows nothing of which.
//
// Lines on standard input: "begin NANOSECONDS" (of CLOCK_MONOTONIC, when the scenario's time is 0), "stop".
// Lines on standard output, JSON objects: {"ready": true} when it listens;
// {"connection", "sample": {...}} every interval; {"connection", "over": true} or {"connection", "failure":
// TEXT} once; {"connection", "result": {...}} after "stop".
#pragma once

#include <string>

#include "scenario/scenario.h"

namespace braid::lab {

/// Until it is told to stop, or its standard input ends. Returns an exit status.
int run_agent(const scenario::Scenario& scenario, const std::string& host);

}  // namespace braid::lab
