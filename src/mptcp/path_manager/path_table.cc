#include "mptcp/path_manager/path_table.h"

#include <algorithm>

namespace braid::mptcp {

void PathTable::begin_update() {
  for (PathRecord& record : records_) record.is_wanted = false;
}

void PathTable::want(const WantedPath& path) {
  const auto known = std::ranges::find_if(records_, [&](const PathRecord& r) {
    return r.path.local == path.local && r.path.remote == path.remote;
  });
  if (known == records_.end()) {
    records_.push_back({.path = path, .is_wanted = true});
    return;
  }
  known->path = path;
  known->is_wanted = true;
}

void PathTable::end_update() {
  std::erase_if(records_, [](const PathRecord& r) {
    return !r.is_wanted && r.state != PathState::kOpening && r.state != PathState::kUp;
  });
}

PathRecord* PathTable::find(const wire::FourTuple& tuple) {
  PathRecord* routed = nullptr;
  for (PathRecord& record : records_) {
    if (!record.path.matches(tuple)) continue;
    if (!record.path.is_routed()) return &record;
    routed = &record;
  }
  return routed;
}

PathRecord* PathTable::find_opening(const wire::FourTuple& tuple) {
  PathRecord* found = nullptr;
  for (PathRecord& record : records_) {
    if (record.state != PathState::kOpening || !record.path.matches(tuple)) continue;
    if (found == nullptr || found->path.is_routed()) found = &record;
  }
  return found;
}

size_t PathTable::opening() const {
  return static_cast<size_t>(
      std::ranges::count(records_, PathState::kOpening, [](const PathRecord& r) { return r.state; }));
}

bool PathTable::is_ambiguous(const WantedPath& path) const {
  return std::ranges::any_of(records_, [&](const PathRecord& r) {
    return r.state == PathState::kOpening && r.path.remote == path.remote &&
           (r.path.is_routed() || path.is_routed());
  });
}

void PathTable::on_up(const wire::FourTuple& tuple, Time now) {
  PathRecord* record = find_opening(tuple);
  if (record == nullptr) record = find(tuple);
  if (record == nullptr || record->state == PathState::kUp) return;
  record->state = PathState::kUp;
  record->was_up = true;
  record->failures = 0;
  record->up_since = now;
}

void PathTable::adopt(const wire::FourTuple& tuple) {
  PathRecord* record = find(tuple);
  if (record == nullptr || record->state == PathState::kUp || record->state == PathState::kOpening) return;
  record->state = PathState::kUp;
  record->was_up = true;
}

void PathTable::wait(PathRecord& record, Time now) {
  record.backoff = std::clamp(record.backoff * 2, kFirstBackoff, kLongestBackoff);
  record.state = PathState::kWaiting;
  record.retry_at = now + record.backoff;
}

void PathTable::on_died(const wire::FourTuple& tuple, bool is_alone, Time now) {
  PathRecord* record = find(tuple);
  if (record == nullptr || record->state != PathState::kUp) return;
  if (now - record->up_since >= kLongLife) record->backoff = Duration{0};
  wait(*record, now);
  if (is_alone && record->backoff == kFirstBackoff) record->retry_at = now;
}

void PathTable::on_ended(const wire::FourTuple& tuple) {
  PathRecord* record = find(tuple);
  if (record != nullptr && record->state == PathState::kUp) record->state = PathState::kGivenUp;
}

void PathTable::on_removed(const wire::FourTuple& tuple) {
  PathRecord* record = find(tuple);
  if (record != nullptr && record->state == PathState::kUp)
    record->state = record->is_wanted ? PathState::kIdle : PathState::kGivenUp;
}

void PathTable::on_join_failed(PathRecord& record, Time now) {
  if (++record.failures >= kMaxFailures && !record.was_up)
    record.state = PathState::kGivenUp;
  else
    wait(record, now);
}

bool PathTable::has_given_up(const wire::Endpoint& remote) const {
  bool found = false;
  for (const PathRecord& record : records_) {
    if (!record.is_wanted || record.path.remote != remote) continue;
    if (record.state != PathState::kGivenUp) return false;
    found = true;
  }
  return found;
}

Time PathTable::next_retry(Time now) const {
  Time next = kNever;
  for (const PathRecord& record : records_)
    // What is due already waits for room, which comes with an event, not with time.
    if (record.state == PathState::kWaiting && record.retry_at > now) next = earlier(next, record.retry_at);
  return next;
}

}  // namespace braid::mptcp
