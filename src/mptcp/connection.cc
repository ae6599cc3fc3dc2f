// Connection's public face: the application's commands, the host's calls, and the subflows' upper.
#include "mptcp/connection.h"

#include <algorithm>

#include "mptcp/connection_impl.h"

namespace braid::mptcp {

bool PathRule::fits(std::string_view local_interface, const wire::IpAddress& local) const {
  if (!interface.empty() && interface != local_interface) return false;
  return prefix_bits == 0 ||
         (network.family() == local.family() && wire::in_prefix(local, network, prefix_bits));
}

Connection::Impl::Impl(Connection& owner, const ConnectionConfig& configuration, Environment& environment,
                       Time time)
    : self(owner),
      env(environment),
      config(configuration),
      now(time),
      opened(time),
      sending(environment.chunks(), configuration.autotune ? std::min(configuration.initial_send_buffer_bytes,
                                                                      configuration.send_buffer_bytes)
                                                           : configuration.send_buffer_bytes),
      receiving(configuration),
      group(make_coupled_group(configuration.congestion_control)),
      scheduler(make_scheduler(configuration.scheduler, configuration.scheduler_options)) {
  timers.fill(kNever);
  sending.no_delay = configuration.no_delay;
  if (scheduler == nullptr) scheduler = make_scheduler("lowest-rtt");
  BRAID_CHECK(scheduler != nullptr);
  sending.has_copies = scheduler->is_redundant();
}

Connection::Impl::~Impl() {
  for (const auto& subflow : subflows) env.unbind_subflow(*subflow);
  if (negotiation.has_local_key) env.release_token(negotiation.local.token);
  if (negotiation.state == MultipathState::kEstablished) env.counters().subtract(Counter::kCurrEstab);
}

void Connection::Impl::raise_readable() {
  if (receiving.is_readable_raised) return;
  receiving.is_readable_raised = true;
  raise(ConnectionEvent::kReadable);
}

void Connection::Impl::raise_over(ConnectionEvent event) {
  if (closing.is_over) return;
  closing.is_over = true;
  if (is_logged()) {
    const bool has_failed = event == ConnectionEvent::kFailed;
    log({.kind = has_failed ? Decision::Kind::kFailed : Decision::Kind::kClosed,
         .why = has_failed ? to_string(error) : std::string_view()});
  }
  timers.fill(kNever);
  raise(event);
  raise_readable();
}

Connection::Connection() = default;
Connection::~Connection() = default;

std::unique_ptr<Connection> Connection::connect(const ConnectionConfig& config, Environment& environment,
                                                const wire::FourTuple& tuple, Time now) {
  std::unique_ptr<Connection> connection(new Connection());
  connection->impl_ = std::make_unique<Impl>(*connection, config, environment, now);
  connection->impl_->connect(tuple);
  return connection;
}

std::unique_ptr<Connection> Connection::accept(const ConnectionConfig& config, Environment& environment,
                                               const wire::TcpSegment& syn, Time now, SynOrigin origin,
                                               const FastOpenAnswer& fast_open) {
  std::unique_ptr<Connection> connection(new Connection());
  connection->impl_ = std::make_unique<Impl>(*connection, config, environment, now);
  connection->impl_->current = &syn;
  connection->impl_->accept(syn, origin, fast_open);
  connection->impl_->current = nullptr;
  return connection;
}

// ---- commands

size_t Connection::send(std::span<const std::byte> bytes, Time now) {
  impl_->now = now;
  if (!can_send()) return 0;
  const size_t taken = std::min<uint64_t>(bytes.size(), impl_->send_room());
  if (taken < bytes.size()) impl_->sending.was_refused = true;
  if (taken == 0) return 0;
  impl_->sending.buffer.append(bytes.first(taken));
  impl_->send_deferred_syn();
  impl_->check_paths_due();
  impl_->env.wake(*this);
  return taken;
}

bool Connection::send(Slice slice, Time now) {
  impl_->now = now;
  if (!can_send()) return false;
  if (slice.empty()) return true;
  impl_->sending.buffer.append(std::move(slice));
  if (impl_->send_room() == 0) impl_->sending.was_refused = true;
  impl_->send_deferred_syn();
  impl_->check_paths_due();
  impl_->env.wake(*this);
  return true;
}

size_t Connection::receive(std::span<std::byte> out, Time now) {
  impl_->now = now;
  const size_t taken = impl_->receiving.data.read(out);
  impl_->on_read(taken);
  return taken;
}

size_t Connection::peek(std::span<std::byte> out) const { return impl_->receiving.data.peek(out); }

size_t Connection::readable_runs(std::span<std::span<const std::byte>> runs) const {
  return impl_->receiving.data.front(runs);
}

void Connection::consume(uint64_t bytes, Time now) {
  impl_->now = now;
  bytes = std::min(bytes, impl_->receiving.data.readable_bytes());
  impl_->receiving.data.skip(bytes);
  impl_->on_read(bytes);
}

void Connection::shut_down_send(Time now) {
  impl_->now = now;
  impl_->shut_down_send();
}
void Connection::close(Time now) {
  impl_->now = now;
  impl_->close();
}
void Connection::abort(Time now) {
  impl_->now = now;
  impl_->abort();
}

void Connection::set_no_delay(bool no_delay, Time now) {
  impl_->now = now;
  impl_->sending.no_delay = no_delay;
  if (no_delay) impl_->env.wake(*this);
}

void Connection::set_cork(bool is_corked, Time now) {
  impl_->now = now;
  Sending& sending = impl_->sending;
  if (sending.is_corked && !is_corked) {
    // What was held back goes at once.
    sending.is_push_due = sending.next < sending.buffer.end();
    impl_->timer(ConnectionTimer::kCork) = kNever;
    impl_->env.wake(*this);
  }
  sending.is_corked = is_corked;
}

void Connection::set_keepalive(std::optional<Duration> idle, Duration interval, uint32_t attempts, Time now) {
  impl_->now = now;
  impl_->config.subflow.keepalive_idle = idle;
  impl_->config.subflow.keepalive_interval = interval;
  impl_->config.subflow.keepalive_attempts = attempts;
  for (const auto& subflow : impl_->subflows) {
    subflow->set_keepalive(idle, interval, attempts, now);
    subflow->has_path_keepalive = false;
  }
  impl_->update_keepalives();
  impl_->env.wake(*this);
}

void Connection::set_user_timeout(Duration timeout, Time now) {
  impl_->now = now;
  impl_->config.subflow.user_timeout = timeout;
  for (const auto& subflow : impl_->subflows) subflow->set_user_timeout(timeout);
  impl_->env.wake(*this);
}

bool Connection::set_scheduler(std::string_view name, Time now) {
  impl_->now = now;
  auto made = make_scheduler(name, impl_->config.scheduler_options);
  if (made == nullptr) return false;
  impl_->scheduler = std::move(made);
  impl_->config.scheduler = name;
  if (impl_->is_logged()) impl_->log({.kind = Decision::Kind::kSchedulerChanged, .why = name});
  impl_->begin_copies();
  impl_->env.wake(*this);
  return true;
}

bool Connection::set_congestion_control(std::string_view name, Time now) {
  impl_->now = now;
  auto group = make_coupled_group(name);
  if (group == nullptr && tcp::make_congestion_control(name, impl_->config.subflow.mss) == nullptr)
    return false;
  impl_->config.congestion_control = name;
  if (impl_->is_logged()) impl_->log({.kind = Decision::Kind::kCongestionControlChanged, .why = name});
  // The old group outlives the old controllers.
  std::swap(impl_->group, group);
  for (const auto& subflow : impl_->subflows) {
    subflow->set_congestion_control(impl_->make_congestion_control(subflow->mss()));
  }
  impl_->env.wake(*this);
  return true;
}

void Connection::set_traffic_class(uint8_t traffic_class) {
  impl_->config.subflow.traffic_class = traffic_class;
  for (const auto& subflow : impl_->subflows)
    if (!subflow->label) subflow->set_traffic_class(traffic_class);
}

void Connection::set_hop_limit(uint8_t hop_limit) {
  impl_->config.subflow.hop_limit = hop_limit;
  for (const auto& subflow : impl_->subflows) subflow->set_hop_limit(hop_limit);
}

void Connection::set_send_buffer(uint64_t bytes) {
  impl_->sending.limit_bytes = std::max<uint64_t>(bytes, 1);
  impl_->sending.is_limit_fixed = true;
}

void Connection::set_receive_buffer(uint64_t bytes) {
  impl_->receiving.buffer.set_size(std::max<uint64_t>(bytes, 1), impl_->receiving.data.data_read(),
                                   impl_->mss());
}

// ---- commands about paths

tl::expected<uint8_t, PathError> Connection::open_path(SubflowRequest request, Time now) {
  impl_->now = now;
  return impl_->open_path(std::move(request));
}
PathError Connection::close_path(uint8_t index, Time now) {
  impl_->now = now;
  return impl_->close_path(index);
}
PathError Connection::set_path_backup(uint8_t index, bool is_backup, Time now) {
  impl_->now = now;
  return impl_->set_path_backup(index, is_backup);
}
tl::expected<uint8_t, PathError> Connection::announce_address(const wire::IpAddress& address, uint16_t port,
                                                              uint8_t id, Time now) {
  impl_->now = now;
  return impl_->announce_address(address, port, id);
}
PathError Connection::withdraw_address(uint8_t id, Time now) {
  impl_->now = now;
  return impl_->withdraw_address(id);
}

// ---- handle_*

void Connection::on_segment_for(tcp::Subflow& subflow, const wire::TcpSegment& segment, Time now) {
  impl_->now = now;
  impl_->current = &segment;
  subflow.on_segment(segment, now);
  if (impl_->is_settling_due) impl_->settle();
  impl_->current = nullptr;
}

void Connection::on_icmp_for(tcp::Subflow& subflow, const wire::IcmpError& icmp, Time now) {
  impl_->now = now;
  subflow.on_icmp(icmp, now);
  impl_->settle();
}

bool Connection::on_join(const wire::TcpSegment& syn, const wire::MpJoinSyn& join, wire::ResetReason& reason,
                         Time now) {
  impl_->now = now;
  std::string_view detail;
  const bool is_taken = impl_->on_join(syn, join, reason, detail);
  if (!is_taken && impl_->is_logged())
    impl_->log({.kind = Decision::Kind::kJoinRefused,
                .why = to_string(reason),
                .detail = detail,
                .address = syn.tuple.remote.address});
  return is_taken;
}

void Connection::advance(Time now) {
  impl_->now = now;
  impl_->advance();
}

void Connection::on_endpoint_added(const PathEndpoint& endpoint, Time now) {
  impl_->now = now;
  if (impl_->path_manager != nullptr) impl_->path_manager->on_endpoint_added(endpoint, now);
}
void Connection::on_endpoint_removed(const PathEndpoint& endpoint, Time now) {
  impl_->now = now;
  if (impl_->path_manager != nullptr) impl_->path_manager->on_endpoint_removed(endpoint, now);
}
void Connection::on_endpoint_changed(const PathEndpoint& endpoint, Time now) {
  impl_->now = now;
  if (impl_->path_manager != nullptr) impl_->path_manager->on_endpoint_changed(endpoint, now);
}
void Connection::on_local_address_removed(const wire::IpAddress& address, Time now) {
  impl_->now = now;
  impl_->on_local_address_removed(address);
}

// ---- poll_*

void Connection::poll_transmit(tcp::SegmentSink& sink, Time now) {
  impl_->now = now;
  impl_->poll_transmit(sink);
}
Time Connection::next_deadline() const { return impl_->next_deadline(); }

// ---- getters

uint64_t Connection::send_room_bytes() const { return can_send() ? impl_->send_room() : 0; }
uint64_t Connection::readable_bytes() const { return impl_->receiving.data.readable_bytes(); }
bool Connection::is_end_of_stream() const {
  return impl_->receiving.is_fin_consumed && impl_->receiving.data.readable_bytes() == 0;
}
bool Connection::is_established() const { return impl_->was_established && !impl_->closing.is_over; }
bool Connection::has_begun() const {
  const FastOpen& fast_open = impl_->fast_open;
  const bool is_early = fast_open.is_accepted || fast_open.is_syn_deferred || fast_open.syn_bytes > 0;
  return (impl_->was_established || is_early) && !impl_->closing.is_over;
}
bool Connection::is_waiting_for_data() const { return impl_->fast_open.is_syn_deferred; }
bool Connection::can_send() const { return !impl_->closing.is_send_shut && !impl_->closing.is_over; }
bool Connection::is_finished() const { return impl_->is_finished(); }
ConnectionError Connection::error() const { return impl_->error; }
MultipathState Connection::multipath_state() const { return impl_->negotiation.state; }
FallbackReason Connection::fallback_reason() const { return impl_->negotiation.fallback; }
bool Connection::is_server() const { return impl_->negotiation.is_server; }
Token Connection::local_token() const { return impl_->negotiation.local.token; }
wire::Endpoint Connection::local() const { return impl_->local; }
wire::Endpoint Connection::remote() const { return impl_->remote; }
ConnectionInfo Connection::info() const { return impl_->info(); }
uint64_t Connection::memory_bytes() const { return impl_->memory_bytes(); }

// ---- tcp::Upper

uint32_t Connection::poll_data(tcp::Subflow& subflow, uint32_t max_bytes, Time) {
  return impl_->poll_data(impl_->member(subflow), max_bytes);
}
uint32_t Connection::poll_syn_data(tcp::Subflow& subflow, uint32_t max_bytes, uint32_t option_bytes, Time) {
  return impl_->poll_syn_data(impl_->member(subflow), max_bytes, option_bytes);
}
void Connection::fetch_payload(tcp::Subflow& subflow, StreamOffset offset, uint32_t max_bytes,
                               tcp::SegmentPayload& payload) {
  impl_->fetch_payload(impl_->member(subflow), offset, max_bytes, payload);
}
bool Connection::has_pending_data(const tcp::Subflow& subflow) const {
  return impl_->has_pending_data(static_cast<const MptcpSubflow&>(subflow));
}
void Connection::add_options(tcp::Subflow& subflow, const tcp::SegmentContext& context,
                             wire::TcpOptions& options, size_t space, Time) {
  impl_->add_options(impl_->member(subflow), context, options, space);
}
void Connection::on_acked(tcp::Subflow& subflow, StreamOffset snd_una, Time) {
  impl_->on_acked(impl_->member(subflow), snd_una);
}
void Connection::on_retransmission_timeout(tcp::Subflow& subflow, uint32_t count, Time) {
  MptcpSubflow& stalled = impl_->member(subflow);
  if (!impl_->negotiation.is_multipath() || !stalled.is_joined()) return;
  impl_->counters().add(Counter::kSubflowStale);
  const uint64_t offered = impl_->offer_to_others(stalled);
  impl_->make_paths_due();
  stalled.is_doubt_confirmed = true;
  if (count == 1 && impl_->is_logged())
    impl_->log({.kind = Decision::Kind::kPathStalled, .amount = offered}, stalled);
  impl_->update_probe_limits();
}
void Connection::on_path_recovered(tcp::Subflow& subflow, Time) {
  MptcpSubflow& recovered = impl_->member(subflow);
  impl_->counters().add(Counter::kSubflowRecover);
  if (impl_->is_logged()) impl_->log({.kind = Decision::Kind::kPathRecovered}, recovered);
  impl_->sending.reinjections.forget(recovered.index);
  recovered.reinjected_to = recovered.snd_una();
  impl_->update_probe_limits();
  impl_->is_another_round_due = true;
}
tcp::SegmentVerdict Connection::on_segment(tcp::Subflow& subflow, const wire::TcpSegment& segment,
                                           uint64_t window_bytes, Time) {
  return impl_->on_segment(impl_->member(subflow), segment, window_bytes);
}
void Connection::on_data(tcp::Subflow& subflow, StreamOffset offset, Slice payload, Time) {
  impl_->on_data(impl_->member(subflow), offset, std::move(payload));
}
void Connection::on_fin(tcp::Subflow& subflow, Time) { impl_->on_fin(impl_->member(subflow)); }
uint64_t Connection::receive_window(const tcp::Subflow&) const {
  return impl_->receiving.buffer.window_bytes(impl_->receiving.data.data_rcv_nxt());
}
uint64_t Connection::shared_window(const tcp::Subflow&) const { return impl_->shared_window(); }
void Connection::on_established(tcp::Subflow& subflow, Time) {
  impl_->on_established(impl_->member(subflow));
}
void Connection::on_closed(tcp::Subflow& subflow, tcp::CloseReason reason, Time) {
  MptcpSubflow& closed = impl_->member(subflow);
  closed.is_closed = true;
  closed.close_reason_seen = reason;
  impl_->is_another_round_due = true;
}

// ---- PathActions

bool Connection::open_subflow(const SubflowRequest& request) {
  const PathError error = impl_->open_subflow(request);
  if (error == PathError::kNone) return true;
  if (impl_->is_logged())
    impl_->log(
        {.kind = Decision::Kind::kPathWithheld,
         .why = to_string(error),
         .address = request.local.address.is_unspecified() ? request.remote.address : request.local.address});
  return false;
}
void Connection::on_withheld(Withheld why) {
  if (impl_->is_logged()) impl_->log({.kind = Decision::Kind::kPathWithheld, .why = to_string(why)});
}
void Connection::close_subflow(uint8_t index) { impl_->close_subflow(index); }
void Connection::set_backup(uint8_t index, bool is_backup) { impl_->set_backup(index, is_backup); }
bool Connection::announce(uint8_t id, const wire::IpAddress& address, uint16_t port) {
  return impl_->announce(id, address, port);
}
void Connection::withdraw(uint8_t id) { impl_->withdraw(id); }
bool Connection::are_paths_due() const { return impl_->are_paths_due; }
void Connection::set_timer(Time at) {
  impl_->timer(ConnectionTimer::kPathManager) = at;
  impl_->env.wake(*this);
}

}  // namespace braid::mptcp
