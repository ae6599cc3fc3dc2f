// The first SYN raced over the host's addresses when the path that the route chose does not answer, as RFC
// 8305 (Happy Eyeballs), 5, races destinations. Every SYN offers the same key; the connection is the one
// whose SYN/ACK comes first. The others are forgotten: should their peer's SYN/ACK come still, the host
// answers with RST, and the peer's half-open connection is gone before its application hears of it.
#include <algorithm>

#include "mptcp/connection_impl.h"

namespace braid::mptcp {

namespace {
/// For the other SYNs, and a first repetition of each (RFC 6298, 2: after 1 s), over a slow path.
constexpr Duration kPatienceAfterRefusal = 3s;
}  // namespace

void Connection::Impl::start_race() {
  raced = {local.address};
  if (config.race_delay > Duration{0}) timer(ConnectionTimer::kRace) = now + config.race_delay;
}

void Connection::Impl::race() {
  if (raced.empty()) return;
  if (is_race_refused) return fail(ConnectionError::kRefused);
  open_racer();
}

/// A RST may be a middlebox's, of one path; but it should not take a dead path's patience to believe it.
void Connection::Impl::on_racer_gone(const MptcpSubflow& subflow) {
  if (raced.empty() || subflows.empty() || subflow.close_reason_seen != tcp::CloseReason::kRefused) return;
  is_race_refused = true;
  timer(ConnectionTimer::kRace) = now + kPatienceAfterRefusal;
}

/// From the first endpoint that leads there and was not tried; backup ones come last. False: there is none.
bool Connection::Impl::open_racer() {
  if (config.race_delay <= Duration{0} || subflows.size() >= config.max_subflows) return false;
  const PathEndpoint* next = nullptr;
  for (const PathEndpoint& endpoint : env.path_config().endpoints) {
    const bool is_tried = std::ranges::find(raced, endpoint.address) != raced.end();
    if (is_tried || !env.has_route(endpoint.address, remote.address)) continue;
    if (next == nullptr || (next->is_backup && !endpoint.is_backup)) next = &endpoint;
  }
  if (next == nullptr) return false;
  raced.push_back(next->address);
  const wire::FourTuple tuple{{next->address, env.allocate_port(next->address, remote)}, remote};
  MptcpSubflow* subflow = tuple.local.port == 0 ? nullptr : add_subflow(tuple, label_of_initial());
  if (subflow == nullptr) return false;
  subflow->is_initial = subflow->was_opened_by_us = true;
  subflow->connect(now);
  if (is_logged()) log({.kind = Decision::Kind::kRaced}, *subflow);
  timer(ConnectionTimer::kRace) = now + config.race_delay;
  is_another_round_due = true;
  env.wake(self);
  return true;
}

void Connection::Impl::win_race(MptcpSubflow& winner) {
  raced.clear();
  timer(ConnectionTimer::kRace) = kNever;
  for (const auto& other : subflows) {
    if (other.get() == &winner || !other->is_initial || other->is_closed) continue;
    other->has_lost_race = true;
    other->is_initial = false;
    other->drop(tcp::CloseReason::kAborted, now);
  }
  local = winner.tuple().local;
}

}  // namespace braid::mptcp
