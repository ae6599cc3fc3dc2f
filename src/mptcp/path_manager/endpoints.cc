#include "mptcp/path_manager/endpoints.h"

#include <algorithm>
#include <boost/container/small_vector.hpp>

namespace braid::mptcp {

// ---- events

void EndpointPaths::on_established(const PathSubflow& initial, bool, bool may_join_initial_address,
                                   Time now) {
  is_established_ = true;
  may_join_initial_ = may_join_initial_address;
  initial_ = initial.tuple;
  if (std::ranges::find(subflows_, initial.index, &PathSubflow::index) == subflows_.end())
    subflows_.push_back(initial);
  for (const PathEndpoint& endpoint : config_.endpoints)
    if (endpoint.is_backup && is_initial_address(endpoint)) sync_backup(endpoint);
  reconcile(now);
}

void EndpointPaths::on_subflow_up(const PathSubflow& subflow, Time now) {
  const auto known = std::ranges::find(subflows_, subflow.index, &PathSubflow::index);
  if (known == subflows_.end())
    subflows_.push_back(subflow);
  else
    *known = subflow;
  if (subflow.was_opened_by_us) {
    const PathRecord* record = table_.find_opening(subflow.tuple);
    table_.on_up(subflow.tuple, now);
    // Its endpoint or address was withdrawn while the join was under way.
    if (record != nullptr && !record->is_wanted) actions_.close_subflow(subflow.index);
  }
  reconcile(now);
}

void EndpointPaths::on_subflow_closed(const PathSubflow& subflow, SubflowEnd end, Time now) {
  std::erase_if(subflows_, [&](const PathSubflow& s) { return s.index == subflow.index; });
  if (end == SubflowEnd::kLocalAddressGone) on_address_gone(subflow);
  if (end == SubflowEnd::kRemoved)
    table_.on_removed(subflow.tuple);
  else if (end == SubflowEnd::kFinished || end == SubflowEnd::kClosedByProgram)
    table_.on_ended(subflow.tuple);
  else
    table_.on_died(subflow.tuple, subflows_.empty(), now);
  reconcile(now);
}

/// It was withdrawn with its subflows: when it returns, as an endpoint added, it is announced again; under
/// its own ID then, since 0 was for the initial subflow.
void EndpointPaths::on_address_gone(const PathSubflow& subflow) {
  const wire::IpAddress address = subflow.tuple.local.address;
  for (const PathEndpoint& endpoint : config_.endpoints) {
    if (endpoint.address != address) continue;
    announced_.reset(endpoint.id);
    removed_.set(endpoint.id);
  }
  if (address == initial_.local.address) is_initial_gone_ = true;
}

void EndpointPaths::on_subflow_failed(const PathSubflow& subflow, SubflowEnd, Time now) {
  if (PathRecord* record = table_.find_opening(subflow.tuple)) table_.on_join_failed(*record, now);
  reconcile(now);
}

void EndpointPaths::on_add_addr(uint8_t id, const wire::IpAddress& address, uint16_t port, Time now) {
  if (address.is_unspecified() || address.is_multicast()) return;
  if (address.is_loopback() && !initial_.remote.address.is_loopback()) return;
  const wire::Endpoint endpoint{address, port != 0 ? port : initial_.remote.port};
  const auto known = std::ranges::find(remotes_, endpoint, &Remote::endpoint);
  if (known != remotes_.end()) {
    // The same one again is an invitation to try again (RFC 8684, 3.4.1), though not one to flood a third
    // party.
    if (known->id != id) return;
    if (now - known->given_up_at >= PathTable::kLongestBackoff) known->is_hopeless = false;
  } else {
    if (remotes_.size() == kMaxRemotes) return;
    // Another address under a known ID needs a REMOVE_ADDR first; another port of the same is one more.
    const bool is_taken = std::ranges::any_of(remotes_, [&](const Remote& remote) {
      return remote.id == id && remote.endpoint.address != address;
    });
    if (is_taken) return;
    remotes_.push_back({.id = id, .endpoint = endpoint});
  }
  reconcile(now);
}

void EndpointPaths::on_remove_addr(uint8_t id, Time now) {
  if (id == 0) may_join_initial_ = false;
  std::erase_if(remotes_, [&](const Remote& remote) { return remote.id == id; });
  reconcile(now);
  close_subflows([&](const PathSubflow& s) { return s.remote_id == id; });
}

void EndpointPaths::on_endpoint_added(const PathEndpoint& endpoint, Time now) {
  removed_.reset(endpoint.id);
  on_endpoint_changed(endpoint, now);
}

void EndpointPaths::on_endpoint_changed(const PathEndpoint& endpoint, Time now) {
  if (!is_established_) return;
  sync_backup(endpoint);
  for (Remote& remote : remotes_) remote.is_hopeless = false;
  if (!endpoint.is_signal && announced_[endpoint.id]) {
    announced_.reset(endpoint.id);
    actions_.withdraw(endpoint.id);
  }
  table_.revive([&](const WantedPath& path) {
    return path.local == endpoint.address ||
           (path.is_routed() && path.local.family() == endpoint.address.family());
  });
  reconcile(now);
  // What the endpoint's flags no longer ask for.
  close_subflows([&](const PathSubflow& s) {
    if (!s.was_opened_by_us || s.tuple == initial_ || s.tuple.local.address != endpoint.address) return false;
    const PathRecord* record = table_.find(s.tuple);
    return record != nullptr && !record->is_wanted;
  });
}

void EndpointPaths::on_endpoint_removed(const PathEndpoint& endpoint, Time now) {
  removed_.set(endpoint.id);
  if (!is_established_) return;
  const auto is_from_it = [&](const PathSubflow& s) { return is_from(endpoint, s); };
  if (announced_[endpoint.id] || std::ranges::any_of(subflows_, is_from_it))
    actions_.withdraw(id_of(endpoint));
  announced_.reset(endpoint.id);
  reconcile(now);
  close_subflows(is_from_it);
}

void EndpointPaths::on_timer(Time now) {
  timer_at_ = kNever;
  reconcile(now);
}

bool EndpointPaths::may_accept_join() { return is_established_ && has_room(); }

// ---- what follows from them

/// Compares what should be with what is. Actions may call back at once: that makes another round.
void EndpointPaths::reconcile(Time now) {
  if (!is_established_) return;
  is_reconcile_due_ = true;
  if (is_reconciling_) return;
  is_reconciling_ = true;
  while (is_reconcile_due_) {
    is_reconcile_due_ = false;
    announce_endpoints();
    accept_remotes(now);
    want_paths();
    open_due_paths(now);
  }
  is_reconciling_ = false;
  arm_timer(now);
  if (!actions_.are_paths_due()) return;
  const Withheld why = reason_for_no_more();
  if (why == said_) return;
  said_ = why;
  if (why != Withheld::kNothing) actions_.on_withheld(why);
}

Withheld EndpointPaths::reason_for_no_more() const {
  const std::vector<PathRecord>& records = table_.records();
  const auto is_idle = [](const PathRecord& r) { return r.is_wanted && r.state == PathState::kIdle; };
  if (!has_room() && std::ranges::any_of(records, is_idle)) return Withheld::kSubflowLimit;
  const auto is_left_out = [](const Remote& r) { return !r.is_accepted && !r.is_hopeless; };
  if (std::ranges::any_of(remotes_, is_left_out)) return Withheld::kAddressLimit;
  const bool is_alone = subflows_.size() <= 1 && std::ranges::none_of(records, [&](const PathRecord& r) {
                          return r.is_wanted && !r.path.matches(initial_);
                        });
  if (!is_alone) return Withheld::kNothing;
  return may_join_initial_ ? Withheld::kNowhereToGo : Withheld::kNothingAnnounced;
}

void EndpointPaths::announce_endpoints() {
  for (const PathEndpoint& endpoint : config_.endpoints) {
    if (!endpoint.is_signal || removed_[endpoint.id] || announced_[endpoint.id]) continue;
    // The peer knows the initial address, unless the endpoint is about another port.
    if (is_initial_address(endpoint) && (endpoint.port == 0 || endpoint.port == initial_.local.port))
      continue;
    if (actions_.announce(endpoint.id, endpoint.address, endpoint.port)) announced_.set(endpoint.id);
  }
}

void EndpointPaths::accept_remotes(Time now) {
  size_t accepted = 0;
  for (Remote& remote : remotes_) {
    if (remote.is_accepted && table_.has_given_up(remote.endpoint)) {
      remote.is_accepted = false;
      remote.is_hopeless = true;
      remote.given_up_at = now;
    }
    accepted += remote.is_accepted;
  }
  for (Remote& remote : remotes_) {
    if (accepted >= config_.limits.add_addr_accepted) break;
    if (remote.is_accepted || remote.is_hopeless) continue;
    remote.is_accepted = true;
    ++accepted;
  }
}

void EndpointPaths::want_paths() {
  table_.begin_update();
  if (may_join_initial_) {
    for (const PathEndpoint& endpoint : config_.endpoints)
      if (endpoint.is_subflow || endpoint.is_fullmesh) want_path(endpoint, initial_.remote, 0);
  }
  for (const Remote& remote : remotes_)
    if (remote.is_accepted && !(may_join_initial_ && remote.endpoint == initial_.remote))
      want_paths_to(remote);
  table_.end_update();
  for (const PathSubflow& subflow : subflows_) table_.adopt(subflow.tuple);
}

void EndpointPaths::want_paths_to(const Remote& remote) {
  bool is_meshed = false;
  for (const PathEndpoint& endpoint : config_.endpoints) {
    const bool applies = endpoint.is_fullmesh || (endpoint.is_subflow && !may_join_initial_);
    if (!applies || removed_[endpoint.id] || endpoint.address.family() != remote.endpoint.address.family())
      continue;
    want_path(endpoint, remote.endpoint, remote.id);
    is_meshed = true;
  }
  if (is_meshed) return;
  table_.want({.local = wire::IpAddress::any(remote.endpoint.address.family()),
               .local_id = 0,
               .remote = remote.endpoint,
               .remote_id = remote.id});
}

void EndpointPaths::want_path(const PathEndpoint& endpoint, const wire::Endpoint& remote, uint8_t remote_id) {
  if (removed_[endpoint.id] || endpoint.address.family() != remote.address.family()) return;
  if (endpoint.address == remote.address) return;
  table_.want({.local = endpoint.address,
               .local_id = id_of(endpoint),
               .remote = remote,
               .remote_id = remote_id,
               .is_backup = endpoint.is_backup});
}

void EndpointPaths::open_due_paths(Time now) {
  if (!actions_.are_paths_due()) return;
  // By position: a call back from open_subflow leaves the table's order alone while we are in here.
  for (size_t i = 0; i < table_.records().size() && has_room(); ++i) {
    PathRecord& record = table_.records()[i];
    if (!record.is_wanted || !record.is_due(now)) continue;
    const WantedPath path = record.path;
    const bool is_there =
        std::ranges::any_of(subflows_, [&](const PathSubflow& s) { return path.matches(s.tuple); });
    // Where the route leads is not known before the join is up: one at a time, then.
    if (is_there || table_.is_ambiguous(path)) continue;
    table_.on_opening(record);
    const bool is_open = actions_.open_subflow({.local = {path.local, 0},
                                                .local_id = path.local_id,
                                                .remote = path.remote,
                                                .remote_id = path.remote_id,
                                                .is_backup = path.is_backup});
    if (!is_open && record.state == PathState::kOpening) table_.on_join_failed(record, now);
  }
}

void EndpointPaths::arm_timer(Time now) {
  const Time next = table_.next_retry(now);
  if (next == timer_at_ || next == kNever) return;
  timer_at_ = next;
  actions_.set_timer(next);
}

bool EndpointPaths::is_initial_address(const PathEndpoint& endpoint) const {
  return !is_initial_gone_ && endpoint.address == initial_.local.address;
}

/// One that is announced with a port speaks for the subflows at that port alone.
bool EndpointPaths::is_from(const PathEndpoint& endpoint, const PathSubflow& subflow) {
  const wire::Endpoint& local = subflow.tuple.local;
  return local.address == endpoint.address && (endpoint.port == 0 || local.port == endpoint.port);
}

/// The initial subflow's address has ID 0, whatever the endpoint says (RFC 8684, 3.2).
uint8_t EndpointPaths::id_of(const PathEndpoint& endpoint) const {
  return is_initial_address(endpoint) && endpoint.port == 0 ? 0 : endpoint.id;
}

bool EndpointPaths::has_room() const {
  return subflows_.size() + table_.opening() < size_t{1} + config_.limits.subflows;
}

template <class Predicate>
void EndpointPaths::close_subflows(Predicate&& should_close) {
  boost::container::small_vector<uint8_t, 8> indexes;  // closing may call back and change subflows_
  for (const PathSubflow& subflow : subflows_)
    if (should_close(subflow)) indexes.push_back(subflow.index);
  for (const uint8_t index : indexes) actions_.close_subflow(index);
}

/// Also where it is so already, for all that is known here: a program may have set it otherwise meanwhile.
void EndpointPaths::sync_backup(const PathEndpoint& endpoint) {
  for (PathSubflow& subflow : subflows_) {
    if (!is_from(endpoint, subflow)) continue;
    subflow.is_backup = endpoint.is_backup;
    actions_.set_backup(subflow.index, endpoint.is_backup);
  }
}

}  // namespace braid::mptcp
