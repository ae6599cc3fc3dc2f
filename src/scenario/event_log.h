// What happened in a run, one JSON object a line (RFC 8259): what the hosts' stacks decided and why, and the
// scenario's own events. "time_s" and "host" or "link" in each; docs/simulator.md has the rest.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "mptcp/decision.h"
#include "scenario/scenario.h"
#include "scenario/world.h"

namespace braid::scenario {

class EventLog {
 public:
  /// The error is for people.
  static tl::expected<std::unique_ptr<EventLog>, std::string> open(const std::string& path);
  ~EventLog();

  /// Of the hosts in the world, which must not run after this object is gone.
  void attach(const Scenario& scenario, World& world);
  void add(const EventSpec& event);
  /// A line of a host that logs for itself: its members, without the host.
  void add(double time_s, const std::string& host, const std::string& members);
  /// Everything is on disk. False: it could not be written.
  bool finish();

 private:
  class HostLog;
  explicit EventLog(std::FILE* file);
  std::FILE* file_;
  std::vector<std::unique_ptr<HostLog>> hosts_;
};

}  // namespace braid::scenario
