#include "mptcp/path_manager/ndiffports.h"

#include <algorithm>

namespace braid::mptcp {

void DifferentPorts::on_established(const PathSubflow& initial, bool is_server, bool may_join_initial_address,
                                    Time now) {
  is_established_ = true;
  initial_ = initial.tuple;
  // The server cannot reach a client behind a NAT, and would double what the client opens.
  opens_ = !is_server && may_join_initial_address;
  if (std::ranges::find(up_, initial.index) == up_.end()) up_.push_back(initial.index);
  open_missing(now);
}

void DifferentPorts::on_subflow_up(const PathSubflow& subflow, Time) {
  if (subflow.was_opened_by_us && opening_ > 0) --opening_;
  backoff_ = kFirstBackoff;
  if (std::ranges::find(up_, subflow.index) == up_.end()) up_.push_back(subflow.index);
}

void DifferentPorts::on_subflow_closed(const PathSubflow& subflow, SubflowEnd end, Time now) {
  std::erase(up_, subflow.index);
  if (end == SubflowEnd::kClosedByProgram) ++unwanted_;
  wait(now);
}

void DifferentPorts::on_subflow_failed(const PathSubflow& subflow, SubflowEnd, Time now) {
  if (subflow.was_opened_by_us && opening_ > 0) --opening_;
  wait(now);
}

void DifferentPorts::on_remove_addr(uint8_t id, Time) {
  if (id == 0) opens_ = false;
}

bool DifferentPorts::may_accept_join() { return is_established_ && has_room(); }

void DifferentPorts::open_missing(Time now) {
  if (!actions_.are_paths_due()) return;
  while (opens_ && is_one_missing()) {
    ++opening_;  // before the call: it may call back
    if (actions_.open_subflow({.local = {initial_.local.address, 0}, .remote = initial_.remote})) continue;
    --opening_;
    return wait(now);
  }
}

void DifferentPorts::wait(Time now) {
  if (!opens_ || !is_one_missing()) return;
  actions_.set_timer(now + backoff_);
  backoff_ = std::min(2 * backoff_, kLongestBackoff);
}

}  // namespace braid::mptcp
