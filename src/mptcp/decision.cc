#include "mptcp/decision.h"

#include <fmt/format.h>

#include "mptcp/connection_impl.h"

namespace braid::mptcp {

std::string_view to_string(Decision::Kind kind) {
  using Kind = Decision::Kind;
  switch (kind) {
    case Kind::kOpened:
      return "opened";
    case Kind::kMultipath:
      return "multipath";
    case Kind::kFellBack:
      return "fell-back";
    case Kind::kRaced:
      return "raced";
    case Kind::kSubflowOpened:
      return "subflow-opened";
    case Kind::kSubflowAccepted:
      return "subflow-accepted";
    case Kind::kJoinRefused:
      return "join-refused";
    case Kind::kSubflowUp:
      return "subflow-up";
    case Kind::kSubflowEnded:
      return "subflow-ended";
    case Kind::kPathWithheld:
      return "path-withheld";
    case Kind::kJoinsDenied:
      return "joins-denied";
    case Kind::kPathDoubted:
      return "path-doubted";
    case Kind::kPathTrusted:
      return "path-trusted";
    case Kind::kPathStalled:
      return "path-stalled";
    case Kind::kPathRecovered:
      return "path-recovered";
    case Kind::kAddressAnnounced:
      return "address-announced";
    case Kind::kAddressWithdrawn:
      return "address-withdrawn";
    case Kind::kAddressLearned:
      return "address-learned";
    case Kind::kAddressForgotten:
      return "address-forgotten";
    case Kind::kPriorityChanged:
      return "priority-changed";
    case Kind::kReinjected:
      return "reinjected";
    case Kind::kPenalised:
      return "penalised";
    case Kind::kSchedulerChanged:
      return "scheduler-changed";
    case Kind::kCongestionControlChanged:
      return "congestion-control-changed";
    case Kind::kFailed:
      return "failed";
    case Kind::kClosed:
      return "closed";
  }
  return "?";
}

std::string to_json_members(const Connection& connection, const Decision& decision) {
  return to_json_members(connection.local_token(), decision);
}

std::string to_json_members(Token token, const Decision& decision) {
  std::string out = fmt::format(R"("connection":"{:08x}","event":"{}")", token, to_string(decision.kind));
  if (decision.subflow.has_value()) out += fmt::format(R"(,"subflow":{})", *decision.subflow);
  out += fmt::format(R"(,"local":"{}","remote":"{}")", decision.tuple.local.to_string(),
                     decision.tuple.remote.to_string());
  if (!decision.address.is_unspecified())
    out += fmt::format(R"(,"address":"{}")", decision.address.to_string());
  switch (decision.kind) {
    case Decision::Kind::kAddressAnnounced:
    case Decision::Kind::kAddressWithdrawn:
    case Decision::Kind::kAddressLearned:
    case Decision::Kind::kAddressForgotten:
      out += fmt::format(R"(,"address_id":{})", decision.amount);
      break;
    case Decision::Kind::kPriorityChanged:
      out += fmt::format(R"(,"is_backup":{})", decision.amount != 0);
      break;
    case Decision::Kind::kPathDoubted:
    case Decision::Kind::kPathStalled:
    case Decision::Kind::kReinjected:
      out += fmt::format(R"(,"bytes":{})", decision.amount);
      break;
    case Decision::Kind::kOpened:
      if (decision.amount > 0) out += fmt::format(R"(,"bytes":{})", decision.amount);
      break;
    case Decision::Kind::kSubflowEnded:
      out += fmt::format(R"(,"sent_bytes":{},"received_bytes":{})", decision.sent_bytes,
                         decision.received_bytes);
      break;
    default:
      break;
  }
  // All that are given are words of ours: nothing in them has to be escaped.
  if (!decision.why.empty()) out += fmt::format(R"(,"why":"{}")", decision.why);
  if (!decision.detail.empty()) out += fmt::format(R"(,"detail":"{}")", decision.detail);
  if (!decision.packet.empty()) out += fmt::format(R"(,"packet":"{}")", decision.packet);
  return out;
}

void Connection::Impl::log(Decision decision) {
  decision.tuple = {local, remote};
  env.decision_log()->on_decision(self, decision, now);
}

void Connection::Impl::log(Decision decision, const MptcpSubflow& subflow) {
  decision.subflow = subflow.index;
  decision.local_id = subflow.local_id;
  decision.remote_id = subflow.remote_id;
  decision.is_backup = subflow.is_backup();
  decision.sent_bytes = subflow.data_sent_bytes;
  decision.received_bytes = subflow.data_received_bytes;
  decision.retransmitted_bytes = subflow.recovery().totals().retransmitted_bytes;
  decision.tuple = subflow.tuple();
  env.decision_log()->on_decision(self, decision, now);
}

}  // namespace braid::mptcp
