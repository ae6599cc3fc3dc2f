// The connection's own deadlines.
#include <algorithm>

#include "mptcp/connection_impl.h"

namespace braid::mptcp {

void Connection::Impl::advance() {
  for (size_t i = 0; i < subflows.size(); ++i) {
    MptcpSubflow& subflow = *subflows[i];
    if (subflow.next_deadline() <= now) subflow.advance(now);
    if (subflow.join != JoinState::kNone && subflow.join != JoinState::kUp) advance_join(subflow);
    if (subflow.fastclose_at <= now) advance_fastclose(subflow);
  }
  for (size_t i = 0; i < timers.size(); ++i) {
    if (timers[i] > now) continue;
    timers[i] = kNever;
    on_timer(static_cast<ConnectionTimer>(i));
  }
  advance_doubts();
  settle();
}

void Connection::Impl::on_timer(ConnectionTimer which) {
  if (closing.is_over) return;
  switch (which) {
    case ConnectionTimer::kDataRetransmit:
      return on_data_retransmit_timer();
    case ConnectionTimer::kDataFin:
      return on_data_fin_timer();
    case ConnectionTimer::kPersist:
      return on_persist_timer();
    case ConnectionTimer::kCork:
      sending.is_push_due = true;
      is_another_round_due = true;
      return;
    case ConnectionTimer::kAnnounce:
      return schedule_announcements();
    case ConnectionTimer::kPathManager:
      if (path_manager != nullptr) path_manager->on_timer(now);
      return;
    case ConnectionTimer::kLinger:
      return on_linger_timer();
    case ConnectionTimer::kSurvive:
      if (subflows.empty() || usable_count() == 0) fail(ConnectionError::kTimedOut);
      return;
    case ConnectionTimer::kOpenPaths:
      return make_paths_due();
    case ConnectionTimer::kRace:
      return race();
    case ConnectionTimer::kCount:
      return;
  }
}

/// The third ACK again, or the end of a join that does not come up.
void Connection::Impl::advance_join(MptcpSubflow& subflow) {
  if (subflow.is_closed) return;
  if (now >= subflow.join_deadline) {
    subflow.join_deadline = subflow.join_ack_at = kNever;
    subflow.end = SubflowEnd::kTimedOut;
    subflow.abort(now);
    is_another_round_due = true;
  } else if (now >= subflow.join_ack_at) {
    subflow.join_ack_interval *= 2;
    subflow.join_ack_at = now + subflow.join_ack_interval;
    ask_for_ack(subflow);
  }
}

Time Connection::Impl::next_deadline() const {
  Time deadline = *std::min_element(timers.begin(), timers.end());
  for (const auto& subflow : subflows) {
    deadline = earlier(deadline, subflow->next_deadline());
    if (subflows.size() > 1) deadline = earlier(deadline, doubt_deadline(*subflow));
    if (!subflow->is_closed)
      deadline = earlier(
          deadline, earlier(subflow->join_deadline, earlier(subflow->join_ack_at, subflow->fastclose_at)));
  }
  return deadline;
}

}  // namespace braid::mptcp
