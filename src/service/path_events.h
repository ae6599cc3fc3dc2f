// What programs that manage paths are told: decisions of connections, in the words of `ip mptcp monitor`, one
// JSON object a line (docs/path-managers.md).
#pragma once

#include <optional>
#include <string>

#include "mptcp/decision.h"
#include "service/control_server.h"

namespace braid::service {

/// "event" and "token" (ours, eight hexadecimal digits), then what there is: "time_s" (CLOCK_MONOTONIC),
/// "local", "remote", "is_server", "subflow", "local_id", "remote_id", "is_backup", "address", "port", "id",
/// "why". Nothing for a decision that is not about paths.
std::optional<std::string> to_path_event(const mptcp::Connection& connection, const mptcp::Decision& decision,
                                         Time now);

/// Goes in front of the event log, if there is one.
class PathEvents final : public mptcp::DecisionLog {
 public:
  /// Both outlive it; `next` may be null.
  PathEvents(ControlServer& control, mptcp::DecisionLog* next) : control_(control), next_(next) {}
  void on_decision(const mptcp::Connection& connection, const mptcp::Decision& decision, Time now) override;

 private:
  ControlServer& control_;
  mptcp::DecisionLog* next_;
};

}  // namespace braid::service
