#include "tcp/subflow.h"

#include <algorithm>

#include "tcp/subflow_impl.h"

namespace braid::tcp {

std::string_view to_string(State state) {
  switch (state) {
    case State::kClosed:
      return "CLOSED";
    case State::kSynSent:
      return "SYN-SENT";
    case State::kSynReceived:
      return "SYN-RECEIVED";
    case State::kEstablished:
      return "ESTABLISHED";
    case State::kFinWait1:
      return "FIN-WAIT-1";
    case State::kFinWait2:
      return "FIN-WAIT-2";
    case State::kCloseWait:
      return "CLOSE-WAIT";
    case State::kClosing:
      return "CLOSING";
    case State::kLastAck:
      return "LAST-ACK";
    case State::kTimeWait:
      return "TIME-WAIT";
  }
  return "?";
}

std::string_view to_string(CloseReason reason) {
  switch (reason) {
    case CloseReason::kNone:
      return "none";
    case CloseReason::kFinished:
      return "finished";
    case CloseReason::kAborted:
      return "aborted";
    case CloseReason::kPeerReset:
      return "reset by peer";
    case CloseReason::kRefused:
      return "refused";
    case CloseReason::kTimedOut:
      return "timed out";
    case CloseReason::kUnreachable:
      return "unreachable";
  }
  return "?";
}

namespace {

/// Leaves room for the largest headers in an IP packet of 65,535 octets.
constexpr uint32_t kMaxPayload = 65'400;

SubflowConfig sanitized(SubflowConfig config) {
  config.window_scale = std::min<uint8_t>(config.window_scale, 14);
  config.max_super_segment = std::clamp<uint32_t>(config.max_super_segment, 1, kMaxPayload);
  return config;
}

RecoveryConfig recovery_config(const SubflowConfig& config) {
  RecoveryConfig recovery;
  recovery.rto = config.rto;
  recovery.is_sack_enabled = config.use_sack;
  recovery.mss_bytes = config.mss;
  recovery.rto_backoff_max = config.rto.max;
  return recovery;
}

}  // namespace

Subflow::Impl::Impl(Subflow& self_, const SubflowConfig& config_, const wire::FourTuple& tuple_,
                    Seq32 initial_seq, uint32_t timestamp_offset, Upper& upper_, ChunkPool& pool_,
                    std::unique_ptr<CongestionControl> congestion_control)
    : self(self_),
      upper(upper_),
      pool(pool_),
      config(sanitized(config_)),
      tuple(tuple_),
      timestamps(timestamp_offset),
      recovery(recovery_config(config), std::move(congestion_control)),
      receiver(pool_),
      acks(config.delayed_ack),
      challenges(config.challenge_acks_per_second) {
  handshake.initial_seq = initial_seq;
  handshake.send_mss = config.mss;
  keepalive.idle = config.keepalive_idle;
  keepalive.interval = config.keepalive_interval;
  keepalive.attempts = config.keepalive_attempts;
}

Seq32 Subflow::Impl::wire_snd_nxt() const {
  return handshake.sent == 0 ? handshake.initial_seq : wire_seq(snd_nxt);
}

void Subflow::Impl::start_closing() {
  is_close_requested = true;
  if (state == State::kEstablished) state = State::kFinWait1;
  if (state == State::kCloseWait) state = State::kLastAck;
}

void Subflow::Impl::release() {
  receiver.clear();
  stop_persist();
  handshake.is_due = is_tail_probe_due = is_probe_due = is_bare_ack_due = false;
  handshake.deadline = closing_deadline = kNever;
  recovery.congestion_control().on_closed();
}

void Subflow::Impl::close_with(CloseReason why, Time now) {
  if (state == State::kClosed) return;
  const bool was_reported = state == State::kTimeWait;
  state = State::kClosed;
  if (was_reported) return;
  close_reason = why;
  release();
  upper.on_closed(self, why, now);
}

void Subflow::Impl::reset_with(CloseReason why, Time now) {
  // In SYN-SENT the peer knows of nothing yet (RFC 9293, 3.10.5).
  is_reset_due = state != State::kClosed && state != State::kSynSent && state != State::kTimeWait;
  close_with(why, now);
}

void Subflow::Impl::enter_time_wait(Time now) {
  state = State::kTimeWait;
  close_reason = CloseReason::kFinished;
  release();
  closing_deadline = now + config.time_wait;
  upper.on_closed(self, CloseReason::kFinished, now);
}

Subflow::Subflow(const SubflowConfig& config, const wire::FourTuple& tuple, Seq32 initial_seq,
                 uint32_t timestamp_offset, Upper& upper, ChunkPool& pool,
                 std::unique_ptr<CongestionControl> congestion_control)
    : impl_(std::make_unique<Impl>(*this, config, tuple, initial_seq, timestamp_offset, upper, pool,
                                   std::move(congestion_control))) {}

Subflow::~Subflow() = default;

// ---- commands

void Subflow::connect(Time now) { impl_->connect(now); }

void Subflow::accept(const wire::TcpSegment& syn, Time now, SynText text) { impl_->accept(syn, now, text); }
void Subflow::accept_answered(const wire::TcpSegment& syn, Time now) { impl_->accept_answered(syn, now); }

void Subflow::close(Time now) {
  Impl& impl = *impl_;
  if (impl.state == State::kClosed || impl.is_close_requested) return;
  if (impl.state == State::kSynSent) return impl.close_with(CloseReason::kAborted, now);
  impl.start_closing();
}

void Subflow::abort(Time now) { impl_->reset_with(CloseReason::kAborted, now); }

void Subflow::drop(CloseReason reason, Time now) { impl_->close_with(reason, now); }

void Subflow::orphan(Time now) {
  impl_->is_orphaned = true;
  if (impl_->state == State::kFinWait2) impl_->closing_deadline = now + impl_->config.fin_wait_2;
}

void Subflow::request_ack() { impl_->acks.request(); }

void Subflow::request_bare_ack() { impl_->is_bare_ack_due = true; }

void Subflow::send_probe() { impl_->is_probe_due = true; }

void Subflow::set_keepalive(std::optional<Duration> idle, Duration interval, uint32_t attempts, Time now) {
  impl_->keepalive = {.idle = idle, .interval = interval, .attempts = attempts, .last_probe_at = now};
}

void Subflow::set_user_timeout(Duration timeout) { impl_->config.user_timeout = timeout; }

void Subflow::set_mss(uint16_t mss) {
  if (mss >= impl_->handshake.send_mss) return;
  impl_->set_send_mss(mss);
  impl_->recovery.on_path_mtu_reduced(impl_->mss());
}

void Subflow::set_rto_backoff_max(Duration max) { impl_->recovery.set_rto_backoff_max(max); }

void Subflow::set_congestion_control(std::unique_ptr<CongestionControl> congestion_control) {
  impl_->recovery.set_congestion_control(std::move(congestion_control));
}

void Subflow::set_traffic_class(uint8_t traffic_class) { impl_->config.traffic_class = traffic_class; }
void Subflow::set_hop_limit(uint8_t hop_limit) { impl_->config.hop_limit = hop_limit; }

// ---- handle_*

void Subflow::on_segment(const wire::TcpSegment& segment, Time now) { impl_->on_segment(segment, now); }

void Subflow::on_icmp(const wire::IcmpError& error, Time now) { impl_->on_icmp(error, now); }

void Subflow::advance(Time now) { impl_->advance(now); }

// ---- poll_*

void Subflow::poll_transmit(SegmentSink& sink, Time now) { impl_->poll_transmit(sink, now); }

Time Subflow::next_deadline() const { return impl_->next_deadline(); }

// ---- getters

State Subflow::state() const { return impl_->state; }

bool Subflow::is_open() const { return impl_->is_synchronized() && impl_->state != State::kTimeWait; }

bool Subflow::is_synchronized() const { return impl_->is_synchronized(); }

bool Subflow::can_send() const { return impl_->can_send(); }

uint32_t Subflow::syn_text_bytes() const { return impl_->handshake.syn_text_taken; }

bool Subflow::is_fast_open_pending() const { return impl_->is_fast_open_pending(); }

const wire::FourTuple& Subflow::tuple() const { return impl_->tuple; }

Seq32 Subflow::initial_send_seq() const { return impl_->handshake.initial_seq; }

Seq32 Subflow::initial_receive_seq() const { return impl_->receiver.initial_seq(); }

StreamOffset Subflow::snd_una() const { return impl_->is_synchronized() ? impl_->snd_una : StreamOffset(0); }

StreamOffset Subflow::snd_nxt() const {
  return impl_->handshake.sent == 0 ? StreamOffset(0) : impl_->snd_nxt;
}

StreamOffset Subflow::snd_end() const { return impl_->end; }

StreamOffset Subflow::rcv_nxt() const { return impl_->receiver.rcv_nxt(); }

uint32_t Subflow::mss() const { return impl_->mss(); }

uint64_t Subflow::send_window_bytes() const { return impl_->window.bytes(); }

uint64_t Subflow::send_room_bytes() const {
  if (!impl_->can_send() || has_retransmissions()) return 0;
  // Octets granted already, but not yet sent, will take their part of the room.
  const uint64_t room = std::min(impl_->recovery.allowance_bytes(), impl_->window_room());
  const uint64_t unsent = impl_->end - impl_->snd_nxt;
  return room > unsent ? room - unsent : 0;
}

bool Subflow::has_retransmissions() const { return impl_->recovery.poll_retransmission(1).has_value(); }

bool Subflow::is_stalled() const { return impl_->is_stalled; }

LossRecovery& Subflow::recovery() { return impl_->recovery; }

const LossRecovery& Subflow::recovery() const { return impl_->recovery; }

bool Subflow::has_timestamps() const { return impl_->handshake.has_timestamps; }

bool Subflow::has_sack() const { return impl_->handshake.has_sack; }

uint8_t Subflow::peer_window_scale() const { return impl_->handshake.peer_window_scale; }

uint8_t Subflow::window_scale() const { return impl_->own_window_scale(); }

CloseReason Subflow::close_reason() const { return impl_->close_reason; }

std::optional<int> Subflow::soft_error() const { return impl_->soft_error; }

uint64_t Subflow::receive_queue_bytes() const { return impl_->receiver.queue().bytes(); }

const SubflowTotals& Subflow::totals() const { return impl_->totals; }

Time Subflow::last_received() const { return impl_->last_received; }

std::optional<TimeWaitRecord> Subflow::time_wait(Time now) const {
  const Impl& impl = *impl_;
  if (impl.state != State::kTimeWait) return std::nullopt;
  TimeWaitRecord record;
  record.tuple = impl.tuple;
  record.snd_nxt = impl.wire_snd_nxt();
  record.rcv_nxt = impl.receiver.wire_rcv_nxt();
  record.window = impl.last_window_field;
  if (impl.timestamps.has_recent()) record.last_timestamp = impl.timestamps.recent();
  record.our_timestamp = impl.timestamps.value(now);
  record.until = impl.closing_deadline;
  return record;
}

bool Subflow::has_reset_to_send() const { return impl_->is_reset_due; }

}  // namespace braid::tcp
