#include "mptcp/path_manager/label.h"

#include <algorithm>

namespace braid::mptcp {

LabelledPaths::LabelledPaths(const PathConfig& config, PathActions& actions, std::span<const uint8_t> labels)
    : config_(config), actions_(actions) {
  for (const uint8_t label : labels) {
    if (label < kMaxLabels && std::ranges::find(paths_, label, &Path::label) == paths_.end())
      paths_.push_back({.label = label});
  }
}

void LabelledPaths::on_established(const PathSubflow& initial, bool is_server, bool may_join_initial_address,
                                   Time now) {
  is_established_ = true;
  initial_ = initial.tuple;
  // The server cannot reach a client behind a NAT, and would double what the client opens.
  opens_ = !is_server && may_join_initial_address;
  on_subflow_up(initial, now);
  open_missing(now);
}

void LabelledPaths::on_subflow_up(const PathSubflow& subflow, Time) {
  Path* path = find(subflow);
  if (path == nullptr) {
    ++unlabelled_;
    return;
  }
  ++path->up;
  path->state = Path::State::kUp;
  path->backoff = Duration{0};
}

void LabelledPaths::on_subflow_closed(const PathSubflow& subflow, SubflowEnd end, Time now) {
  Path* path = find(subflow);
  if (path == nullptr) {
    if (unlabelled_ > 0) --unlabelled_;
  } else if (path->up > 0 && --path->up == 0) {
    if (end == SubflowEnd::kClosedByProgram)
      path->state = Path::State::kUnwanted;
    else
      wait(*path, now);
  }
  open_missing(now);
}

void LabelledPaths::on_subflow_failed(const PathSubflow& subflow, SubflowEnd, Time now) {
  if (Path* path = find(subflow); path != nullptr && path->state == Path::State::kOpening) wait(*path, now);
  open_missing(now);
}

void LabelledPaths::on_remove_addr(uint8_t id, Time) {
  if (id == 0) opens_ = false;
}

/// The address of the paths has come back: no reason to wait.
void LabelledPaths::on_endpoint_added(const PathEndpoint& endpoint, Time now) {
  if (endpoint.address != initial_.local.address) return;
  for (Path& path : paths_)
    if (path.state == Path::State::kWaiting) path = {.label = path.label};
  open_missing(now);
}

void LabelledPaths::on_timer(Time now) { open_missing(now); }

bool LabelledPaths::may_accept_join() {
  return is_established_ && in_use() < size_t{1} + config_.limits.subflows;
}

LabelledPaths::Path* LabelledPaths::find(const PathSubflow& subflow) {
  if (!subflow.label) return nullptr;
  const auto found = std::ranges::find(paths_, *subflow.label, &Path::label);
  return found == paths_.end() ? nullptr : &*found;
}

size_t LabelledPaths::in_use() const {
  size_t count = unlabelled_;
  for (const Path& path : paths_) count += path.up + (path.state == Path::State::kOpening ? 1 : 0);
  return count;
}

void LabelledPaths::open_missing(Time now) {
  if (!opens_ || !actions_.are_paths_due()) return;
  Time next = kNever;
  for (Path& path : paths_) {
    const bool is_due =
        path.state == Path::State::kIdle || (path.state == Path::State::kWaiting && path.retry_at <= now);
    if (is_due && in_use() < size_t{1} + config_.limits.subflows) {
      path.state = Path::State::kOpening;  // before the call: it may call back
      const bool is_open = actions_.open_subflow(
          {.local = {initial_.local.address, 0}, .remote = initial_.remote, .label = path.label});
      if (!is_open) wait(path, now);
    }
    if (path.state == Path::State::kWaiting && path.retry_at > now) next = earlier(next, path.retry_at);
  }
  if (next != kNever) actions_.set_timer(next);
}

void LabelledPaths::wait(Path& path, Time now) {
  path.backoff = std::clamp(path.backoff * 2, kFirstBackoff, kLongestBackoff);
  path.state = Path::State::kWaiting;
  path.retry_at = now + path.backoff;
}

}  // namespace braid::mptcp
