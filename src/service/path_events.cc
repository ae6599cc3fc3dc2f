#include "service/path_events.h"

#include <fmt/format.h>

#include "mptcp/connection.h"

namespace braid::service {

namespace {

using Kind = mptcp::Decision::Kind;

/// Empty: programs are not told.
std::string_view name_of(const mptcp::Connection& connection, const mptcp::Decision& decision) {
  switch (decision.kind) {
    case Kind::kOpened:
      return connection.multipath_state() == mptcp::MultipathState::kFallback ? "" : "created";
    case Kind::kMultipath:
      return "established";
    case Kind::kFellBack:
      return "fell-back";
    case Kind::kSubflowUp:
      return "subflow-up";
    case Kind::kSubflowEnded:
      return decision.amount != 0 ? "subflow-down" : "subflow-failed";
    case Kind::kPathStalled:
      return "subflow-silent";
    case Kind::kPathRecovered:
      return "subflow-back";
    case Kind::kPriorityChanged:
      return "priority";
    case Kind::kAddressLearned:
      return "announced";
    case Kind::kAddressForgotten:
      return "removed";
    case Kind::kClosed:
    case Kind::kFailed:
      return connection.multipath_state() == mptcp::MultipathState::kFallback ? "" : "closed";
    default:
      return "";
  }
}

}  // namespace

std::optional<std::string> to_path_event(const mptcp::Connection& connection, const mptcp::Decision& decision,
                                         Time now) {
  const std::string_view name = name_of(connection, decision);
  if (name.empty()) return {};
  const double seconds = std::chrono::duration<double>(now.time_since_epoch()).count();
  std::string out = fmt::format(
      R"({{"event":"{}","token":"{:08x}","time_s":{:.6f},"local":"{}","remote":"{}")", name,
      connection.local_token(), seconds, decision.tuple.local.to_string(), decision.tuple.remote.to_string());
  if (decision.kind == Kind::kOpened || decision.kind == Kind::kMultipath)
    out += fmt::format(R"(,"is_server":{})", connection.is_server());
  if (decision.subflow)
    out += fmt::format(R"(,"subflow":{},"local_id":{},"remote_id":{},"is_backup":{})", *decision.subflow,
                       decision.local_id, decision.remote_id, decision.is_backup);
  if (decision.kind == Kind::kAddressLearned)
    out += fmt::format(R"(,"id":{},"address":"{}","port":{})", decision.amount, decision.address.to_string(),
                       decision.port);
  if (decision.kind == Kind::kAddressForgotten) out += fmt::format(R"(,"id":{})", decision.amount);
  // Words of ours, all of them: nothing has to be escaped.
  std::string_view why = decision.why;
  if (decision.kind == Kind::kClosed && why.empty()) why = "finished";
  if (!why.empty()) out += fmt::format(R"(,"why":"{}")", why);
  return out + "}";
}

void PathEvents::on_decision(const mptcp::Connection& connection, const mptcp::Decision& decision, Time now) {
  if (next_ != nullptr) next_->on_decision(connection, decision, now);
  if (!control_.has_subscribers(Feed::kPaths)) return;
  if (const auto line = to_path_event(connection, decision, now)) control_.publish(Feed::kPaths, *line);
}

}  // namespace braid::service
