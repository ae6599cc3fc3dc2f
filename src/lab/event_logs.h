// What hosts logged each for itself, made into one log of the scenario.
#pragma once

#include <string>
#include <vector>

#include "scenario/event_log.h"
#include "scenario/scenario.h"

namespace braid::lab {

/// Of a daemon (`--events`). A file that is not there has nothing in it.
struct OwnLog {
  std::string host, path;
};

/// With the scenario's events up to `end` (since `begin`, when the scenario began by the daemons' clock), in
/// the order of time.
void merge_event_logs(const std::vector<OwnLog>& logs, const scenario::Scenario& scenario, Time begin,
                      Time end, scenario::EventLog& merged);

}  // namespace braid::lab
