// The records of connections: how they come and go, what their applications are told, what they counted.
#include <bit>

#include "host/host_impl.h"

namespace braid::host {

using mptcp::ConnectionEvent;
using mptcp::Counter;
using Owner = ConnectionRecord::Owner;

ConnectionRecord& Host::Impl::new_record(Owner owner, ListenerId listener) {
  auto made = std::make_unique<ConnectionRecord>();
  ConnectionRecord& record = *made;
  record.owner = owner;
  record.listener = listener;
  record.id = records.insert(std::move(made));
  return record;
}

void Host::Impl::adopt(ConnectionRecord& record, std::unique_ptr<mptcp::Connection> connection) {
  connection->host_context = &record;
  connection->host_id = static_cast<uint64_t>(record.id);
  record.connection = std::move(connection);
  mark_dirty(*record.connection);
}

// Never from within a call of the connection itself, nor while it is in the dirty list.
void Host::Impl::destroy(ConnectionRecord& record) {
  if (record.owner == Owner::kListener) {
    if (Listener* listener = listeners.find(record.listener)) --listener->handshaking;
  }
  end_fast_open(record, false);
  const std::unique_ptr<ConnectionRecord> removed = records.remove(record.id);
  mptcp::Connection& connection = *removed->connection;
  timers.set(connection.timer, kNever);
  removed->connection.reset();
  BRAID_CHECK(removed->bound_subflows == 0);
}

void Host::Impl::mark_dirty(mptcp::Connection& connection) {
  if (connection.is_dirty) return;
  connection.is_dirty = true;
  dirty.push_back(&connection);
}

void Host::Impl::wake(mptcp::Connection& connection) {
  if (connection.host_context != nullptr) mark_dirty(connection);  // else adopt() does
}

void Host::Impl::on_event(mptcp::Connection& connection, ConnectionEvent event) {
  ConnectionRecord& record = creating != nullptr ? *creating : record_of(connection);
  if (event == ConnectionEvent::kAcceptable) {
    // With Fast Open it comes twice: with the SYN's data, and with the third ACK.
    if (record.owner == Owner::kListener)
      move_to_accept_queue(record);
    else
      end_fast_open(record, false);
    return;
  }
  if (event == ConnectionEvent::kFailed)
    end_fast_open(record, connection.error() == mptcp::ConnectionError::kReset);
  if (record.owner == Owner::kNobody) return;
  record.pending_events |= static_cast<uint8_t>(1u << static_cast<unsigned>(event));
  queue_event(record);
}

void Host::Impl::move_to_accept_queue(ConnectionRecord& record) {
  Listener* listener = listeners.find(record.listener);
  if (listener == nullptr) return;
  --listener->handshaking;
  record.owner = Owner::kAcceptQueue;
  listener->waiting.push_back(record.id);
  if (listener->is_event_queued) return;
  listener->is_event_queued = true;
  events.push_back({ConnectionId::kNone, listener->id});
}

void Host::Impl::queue_event(ConnectionRecord& record) {
  if (record.owner != Owner::kApplication || record.pending_events == 0 || record.is_event_queued) return;
  record.is_event_queued = true;
  events.push_back({record.id, ListenerId::kNone});
}

std::optional<Event> Host::Impl::poll_event() {
  for (; !events.empty(); events.pop_front()) {
    const PendingEvent pending = events.front();
    Event event;
    if (pending.listener != ListenerId::kNone) {
      Listener* listener = listeners.find(pending.listener);
      if (listener == nullptr) continue;
      listener->is_event_queued = false;
      event.kind = Event::Kind::kAcceptable;
      event.listener = pending.listener;
      events.pop_front();
      return event;
    }
    ConnectionRecord* record = records.find(pending.connection);
    if (record == nullptr) continue;
    if (record->pending_events == 0) {
      record->is_event_queued = false;
      continue;
    }
    event.connection = record->id;
    event.what = static_cast<ConnectionEvent>(std::countr_zero(record->pending_events));
    record->pending_events &= static_cast<uint8_t>(record->pending_events - 1);
    return event;
  }
  return std::nullopt;
}

// ---- demultiplexing and tokens

mptcp::KeyMaterial Host::Impl::register_key(mptcp::Connection& connection, mptcp::Version version) {
  if (restoring.has_value()) {
    const auto given = mptcp::derive(cookies.key_of(restoring->tuple, restoring->cookie), version);
    if (tokens.insert(given, connection)) return given;
    // The peer has been told the key already: another one makes this plain TCP.
    base_counters.add(Counter::kMpFallbackTokenInit);
  }
  return tokens.register_key(connection, version);
}

bool Host::Impl::bind_subflow(mptcp::Connection& connection, tcp::Subflow& subflow) {
  if (!demux.insert(subflow.tuple(), {&connection, &subflow})) return false;
  time_wait.erase(subflow.tuple());
  ConnectionRecord& record = creating != nullptr ? *creating : record_of(connection);
  ++record.bound_subflows;
  return true;
}

void Host::Impl::unbind_subflow(tcp::Subflow& subflow) {
  const DemuxTable::Entry* entry = demux.find(subflow.tuple());
  if (entry == nullptr || entry->subflow != &subflow) return;
  ConnectionRecord& record = creating != nullptr ? *creating : record_of(*entry->connection);
  --record.bound_subflows;
  collect_totals(subflow, base_counters);
  count_end(subflow);
  demux.erase(subflow.tuple());
}

void Host::Impl::keep_time_wait(const tcp::TimeWaitRecord& record) {
  base_counters.add(Counter::kTcpTimeWait);
  time_wait.insert(record, now_);
}

// ---- what connections ask of the network

Seq32 Host::Impl::initial_sequence(const wire::FourTuple& tuple, Time now) {
  if (restoring.has_value()) return restoring->cookie;
  return sequences.initial_sequence(tuple, now);
}
uint32_t Host::Impl::timestamp_offset(const wire::FourTuple& tuple) {
  return sequences.timestamp_offset(tuple);
}
uint32_t Host::Impl::mtu_of(const wire::IpAddress& local) const {
  const Network::Interface* interface = network.interface_of(local);
  return interface == nullptr ? 0 : interface->config.mtu;
}
std::string_view Host::Impl::interface_of(const wire::IpAddress& local) const {
  const Network::Interface* interface = network.interface_of(local);
  return interface == nullptr ? std::string_view() : interface->config.name;
}
bool Host::Impl::has_route(const wire::IpAddress& local, const wire::IpAddress& remote) const {
  return network.has_route(local, remote);
}
wire::IpAddress Host::Impl::source_for(const wire::IpAddress& remote) const {
  return network.select_source(remote).value_or(wire::IpAddress::any(remote.family()));
}

// ---- counters

// What a subflow counted in itself; called once when it goes, and for the living whenever somebody asks.
void Host::Impl::collect_totals(const tcp::Subflow& subflow, mptcp::Counters& into) const {
  const tcp::LossRecovery::Totals& recovery = subflow.recovery().totals();
  into.add(Counter::kTcpRetransSegs, recovery.retransmissions);
  into.add(Counter::kTcpTimeouts, recovery.timeouts);
  into.add(Counter::kTcpLossProbes, recovery.tail_probes);
  into.add(Counter::kTcpSackRecovery, recovery.recoveries);
  into.add(Counter::kTcpSpuriousRtos, recovery.spurious);
  const tcp::SubflowTotals& totals = subflow.totals();
  into.add(Counter::kTcpChallengeAck, totals.challenge_acks);
  into.add(Counter::kTcpPawsEstab, totals.paws_dropped);
}

// RFC 4022: a failed attempt never got past the handshake; an established one may end by reset.
void Host::Impl::count_end(const tcp::Subflow& subflow) {
  const bool was_established = subflow.snd_una() > StreamOffset(0);
  switch (subflow.close_reason()) {
    case tcp::CloseReason::kNone:
    case tcp::CloseReason::kFinished:
      return;
    case tcp::CloseReason::kAborted:
    case tcp::CloseReason::kPeerReset:
      base_counters.add(was_established ? Counter::kTcpEstabResets : Counter::kTcpAttemptFails);
      return;
    case tcp::CloseReason::kRefused:
    case tcp::CloseReason::kTimedOut:
    case tcp::CloseReason::kUnreachable:
      if (!was_established) base_counters.add(Counter::kTcpAttemptFails);
      return;
  }
}

const mptcp::Counters& Host::Impl::all_counters() const {
  shown_counters = base_counters;
  // A gauge: ESTABLISHED and CLOSE-WAIT (RFC 4022, tcpCurrEstab).
  shown_counters.subtract(Counter::kTcpCurrEstab, shown_counters[Counter::kTcpCurrEstab]);
  demux.for_each([&](const DemuxTable::Entry& entry) {
    collect_totals(*entry.subflow, shown_counters);
    const tcp::State state = entry.subflow->state();
    if (state == tcp::State::kEstablished || state == tcp::State::kCloseWait) {
      shown_counters.add(Counter::kTcpCurrEstab);
    }
  });
  return shown_counters;
}

}  // namespace braid::host
