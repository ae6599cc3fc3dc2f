// Everything that connections decide, as it happens, for `braid events` and `braid monitor`: the lines of the
// event log with "text", the sentence (sentences.h).
#pragma once

#include <string>

#include "mptcp/decision.h"
#include "service/control_server.h"

namespace braid::service {

/// A JSON object: "time_s" (CLOCK_MONOTONIC), the members of the event log, "text".
std::string to_event_line(mptcp::Token token, const mptcp::Decision& decision, Time at);

class DecisionEvents final : public mptcp::DecisionLog {
 public:
  /// Both outlive it; `next` may be null.
  DecisionEvents(ControlServer& control, mptcp::DecisionLog* next) : control_(control), next_(next) {}
  void on_decision(const mptcp::Connection& connection, const mptcp::Decision& decision, Time now) override;

 private:
  ControlServer& control_;
  mptcp::DecisionLog* next_;
};

}  // namespace braid::service
