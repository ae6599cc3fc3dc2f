#include "service/decision_events.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "service/sentences.h"

namespace braid::service {

std::string to_event_line(mptcp::Token token, const mptcp::Decision& decision, Time at) {
  const double seconds = std::chrono::duration<double>(at.time_since_epoch()).count();
  return fmt::format(R"({{"time_s":{:.6f},{},"text":{}}})", seconds, to_json_members(token, decision),
                     nlohmann::json(sentence(decision)).dump());
}

void DecisionEvents::on_decision(const mptcp::Connection& connection, const mptcp::Decision& decision,
                                 Time now) {
  if (next_ != nullptr) next_->on_decision(connection, decision, now);
  if (!control_.has_subscribers(Feed::kDecisions)) return;
  control_.publish(Feed::kDecisions, to_event_line(connection.local_token(), decision, now));
}

}  // namespace braid::service
