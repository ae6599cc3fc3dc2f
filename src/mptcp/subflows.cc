// Making, asking and ending subflows.
#include <algorithm>
#include <cerrno>

#include "mptcp/connection_impl.h"
#include "mptcp/offer.h"

namespace braid::mptcp {

namespace {

constexpr int kMaxPollRounds = 4;
constexpr size_t kIpv4AndTcpHeader = 40, kIpv6AndTcpHeader = 60;
constexpr uint32_t kLeastMss = 88;  // an IPv4 MTU of 128

SubflowEnd end_of(const MptcpSubflow& subflow) {
  if (subflow.end.has_value()) return *subflow.end;
  switch (subflow.close_reason_seen) {
    case tcp::CloseReason::kFinished:
      return SubflowEnd::kFinished;
    case tcp::CloseReason::kRefused:
      return SubflowEnd::kRefusedJoin;
    case tcp::CloseReason::kTimedOut:
    case tcp::CloseReason::kUnreachable:
      return SubflowEnd::kTimedOut;
    default:
      return SubflowEnd::kReset;
  }
}

}  // namespace

tcp::SubflowConfig subflow_config(const ConnectionConfig& config, const wire::FourTuple& tuple,
                                  uint32_t mtu) {
  tcp::SubflowConfig made = config.subflow;
  const size_t headers = tuple.local.address.is_v4() ? kIpv4AndTcpHeader : kIpv6AndTcpHeader;
  if (mtu != 0) {
    const uint32_t fits = mtu > headers + kLeastMss ? mtu - static_cast<uint32_t>(headers) : kLeastMss;
    made.mss = static_cast<uint16_t>(std::min<uint32_t>(fits, 65'495));
  }
  while (made.window_scale < 14 && (uint64_t{65'535} << made.window_scale) < config.receive_buffer_bytes)
    ++made.window_scale;
  return made;
}

std::unique_ptr<tcp::CongestionControl> Connection::Impl::make_congestion_control(uint32_t mss_bytes) {
  if (group != nullptr) return group->make_member(mss_bytes);
  auto made = tcp::make_congestion_control(config.congestion_control, mss_bytes);
  return made != nullptr ? std::move(made) : tcp::make_congestion_control("cubic", mss_bytes);
}

/// The DSCP is the upper six bits of the traffic class (RFC 2474, 3); ECN's two stay the subflow's.
MptcpSubflow* Connection::Impl::add_subflow(const wire::FourTuple& tuple, std::optional<uint8_t> label) {
  tcp::SubflowConfig made = subflow_config(config, tuple, env.mtu_of(tuple.local.address));
  if (label) made.traffic_class = static_cast<uint8_t>(*label << 2);
  auto subflow = std::make_unique<MptcpSubflow>(made, tuple, env.initial_sequence(tuple, now),
                                                env.timestamp_offset(tuple), self, env.chunks(),
                                                make_congestion_control(made.mss));
  subflow->label = label;
  while (find_subflow(subflow->index) != nullptr) ++subflow->index;
  const auto rule = std::find_if(config.paths.begin(), config.paths.end(), [&](const PathRule& r) {
    return r.fits(env.interface_of(tuple.local.address), tuple.local.address);
  });
  if (rule != config.paths.end()) subflow->policy = rule->policy;
  if (!env.bind_subflow(self, *subflow)) return nullptr;
  subflows.push_back(std::move(subflow));
  return subflows.back().get();
}

std::optional<uint8_t> Connection::Impl::label_of_initial() const {
  if (config.path_manager != "label" || config.labels.empty()) return {};
  return config.labels.front();
}

/// The way back is the way there: the peer's label, if it is one of ours. Others are not taken over, since
/// they could be worth money to our network.
std::optional<uint8_t> Connection::Impl::label_of(const wire::TcpSegment& syn) const {
  const auto label = static_cast<uint8_t>(syn.traffic_class >> 2);
  if (std::ranges::find(config.labels, label) == config.labels.end()) return {};
  return label;
}

MptcpSubflow* Connection::Impl::find_subflow(uint8_t index) {
  for (const auto& subflow : subflows) {
    if (subflow->index == index) return subflow.get();
  }
  return nullptr;
}

MptcpSubflow* Connection::Impl::initial() {
  for (const auto& subflow : subflows) {
    if (subflow->is_initial) return subflow.get();
  }
  return nullptr;
}

/// The one with the least round-trip time that is not stalled, or else any.
MptcpSubflow* Connection::Impl::best_subflow(bool must_be_usable) {
  MptcpSubflow* best = nullptr;
  const auto cost = [](const MptcpSubflow& s) {
    return s.recovery().rtt().srtt() + (s.is_silent() ? Duration(1h) : Duration(0)) +
           (s.is_usable() ? Duration(0) : Duration(24h));
  };
  for (const auto& subflow : subflows) {
    if (subflow->is_closed || !subflow->is_joined() || !subflow->is_synchronized()) continue;
    if (must_be_usable && !subflow->is_usable()) continue;
    if (best == nullptr || cost(*subflow) < cost(*best)) best = subflow.get();
  }
  return best;
}

size_t Connection::Impl::usable_count() const {
  return static_cast<size_t>(
      std::count_if(subflows.begin(), subflows.end(), [](const auto& s) { return s->is_usable(); }));
}

bool Connection::Impl::is_only_subflow(const MptcpSubflow& subflow) const {
  return std::none_of(subflows.begin(), subflows.end(),
                      [&](const auto& s) { return s.get() != &subflow && !s->is_closed && s->is_joined(); });
}

PathSubflow Connection::Impl::path_of(const MptcpSubflow& subflow) const {
  return {.index = subflow.index,
          .tuple = subflow.tuple(),
          .local_id = subflow.local_id,
          .remote_id = subflow.remote_id,
          .is_backup = subflow.is_backup_for_us,
          .was_opened_by_us = subflow.was_opened_by_us,
          .label = subflow.label};
}

Duration Connection::Impl::largest_srtt() const {
  Duration largest{0};
  for (const auto& subflow : subflows) {
    if (subflow->is_joined()) largest = std::max(largest, subflow->recovery().rtt().srtt());
  }
  return largest;
}

/// How long DATA_ACK may lag: the subflows' own timers come first.
Duration Connection::Impl::data_rto() const {
  Duration largest = config.subflow.rto.min;
  for (const auto& subflow : subflows) {
    if (subflow->is_usable()) largest = std::max(largest, subflow->recovery().rtt().rto());
  }
  return largest;
}

uint64_t Connection::Impl::mss() const {
  return subflows.empty() ? config.subflow.mss : subflows.front()->mss();
}

void Connection::Impl::ask_for_ack(MptcpSubflow& subflow) {
  subflow.request_ack();
  is_another_round_due = true;
}

/// For options that only ACKs without data carry: with a stream of data going out there might never be one.
void Connection::Impl::ask_for_bare_ack(MptcpSubflow& subflow) {
  subflow.request_bare_ack();
  is_another_round_due = true;
}

void Connection::Impl::ask_all_for_acks() {
  for (const auto& subflow : subflows) {
    if (!subflow->is_closed && subflow->is_joined() && subflow->is_synchronized()) ask_for_ack(*subflow);
  }
}

void Connection::Impl::update_views() {
  views.clear();
  for (const auto& subflow : subflows) {
    const tcp::LossRecovery& recovery = subflow->recovery();
    views.push_back({.index = subflow->index,
                     .is_backup = subflow->is_backup(),
                     .is_stalled = subflow->is_silent(),
                     .is_usable = subflow->is_usable(),
                     .srtt = recovery.rtt().srtt(),
                     .min_rtt = recovery.rtt().min_rtt(),
                     .rttvar = recovery.rtt().rttvar(),
                     .cwnd_bytes = recovery.cwnd_bytes(),
                     .usual_rate = subflow->usual_rate.bytes_per_s(now, recovery.rtt().srtt()),
                     .shown_rate = subflow->usual_rate.shown_bytes_per_s(),
                     .in_flight_bytes = recovery.in_flight_bytes(),
                     .room_bytes = subflow->send_room_bytes(),
                     .mss = subflow->mss(),
                     .idle = recovery.in_flight_bytes() > 0 ? Duration{0} : now - subflow->granted_at,
                     .unsent_bytes = subflow->snd_end() - subflow->snd_nxt(),
                     .sent_bytes = subflow->data_sent_bytes,
                     .policy = subflow->policy});
  }
}

/// A silent path is probed often while another carries the data: its return is then found at once.
void Connection::Impl::update_probe_limits() {
  for (const auto& subflow : subflows) {
    const bool has_other = std::any_of(subflows.begin(), subflows.end(), [&](const auto& other) {
      return other != subflow && other->is_usable() && !other->is_stalled();
    });
    subflow->set_rto_backoff_max(has_other ? config.dead_path_probe_max : config.subflow.rto.max);
  }
}

void Connection::Impl::poll_transmit(tcp::SegmentSink& sink) {
  advance_doubts();
  const auto poll = [&](MptcpSubflow& subflow) {
    // What closes while it is asked still has a RST or an ACK to send: the next round fetches that.
    const bool was_closed = subflow.is_closed;
    subflow.poll_transmit(sink, now);
    subflow.is_drained = was_closed;
    if (subflow.is_closed && !was_closed) is_another_round_due = true;
  };
  for (int round = 0; round < kMaxPollRounds; ++round) {
    is_another_round_due = false;
    // A path manager may add one meanwhile: it has the next round.
    const size_t count = subflows.size();
    if (count < 2 || (sending.next == sending.buffer.end() && sending.reinjections.empty())) {
      for (size_t i = 0; i < count; ++i) poll(*subflows[i]);
    } else {  // who comes first has the new data
      update_views();
      std::array<uint8_t, 256> positions;
      const std::span<uint8_t> order(positions.data(), count);
      scheduler->rank(views, order);
      for (const uint8_t position : order) poll(*subflows[position]);
    }
    settle();
    reap();
    if (!is_another_round_due) break;
  }
}

void Connection::Impl::reap() {
  for (size_t i = 0; i < subflows.size();) {
    if (!subflows[i]->is_drained) {
      ++i;
      continue;
    }
    const std::unique_ptr<MptcpSubflow> gone = std::move(subflows[i]);
    subflows.erase(subflows.begin() + static_cast<std::ptrdiff_t>(i));
    env.unbind_subflow(*gone);
    if (gone->state() == tcp::State::kTimeWait) {
      if (const auto record = gone->time_wait(now)) env.keep_time_wait(*record);
    }
    on_subflow_gone(*gone);
    i = 0;
  }
}

void Connection::Impl::on_subflow_gone(MptcpSubflow& subflow) {
  if (subflow.has_lost_race) return;
  if (is_logged())
    log({.kind = Decision::Kind::kSubflowEnded,
         .why = to_string(end_of(subflow)),
         .detail = subflow.peers_reset_reason ? to_string(*subflow.peers_reset_reason) : std::string_view(),
         .amount = subflow.was_up},
        subflow);
  take_back_syn_data(subflow);
  sending.retransmitted_bytes += subflow.recovery().totals().retransmitted_bytes;
  offer_to_others(subflow);
  sending.reinjections.orphan(subflow.index);
  for (size_t i = 0; i < subflow.tx.size(); ++i)
    sending.buffer.release(subflow.tx[i].data_begin, subflow.tx[i].data_end());
  update_probe_limits();
  update_keepalives();
  on_racer_gone(subflow);
  // Attempts at new paths may be under way; they don't count.
  const bool is_silence = subflow.was_up && subflow.close_reason_seen == tcp::CloseReason::kTimedOut;
  if (is_silence && !closing.is_over && negotiation.state == MultipathState::kEstablished &&
      usable_count() == 0 && is_patience_over(subflow)) {
    return fail(ConnectionError::kTimedOut);
  }
  bool is_path_manager_busy = false;
  are_paths_due = true;
  if (path_manager != nullptr && !closing.is_over && !closing.are_subflows_closing) {
    const size_t before = subflows.size();
    counters().add(Counter::kRmSubflow);
    if (subflow.was_up)
      path_manager->on_subflow_closed(path_of(subflow), end_of(subflow), now);
    else
      path_manager->on_subflow_failed(path_of(subflow), end_of(subflow), now);
    is_path_manager_busy = subflows.size() > before || timer(ConnectionTimer::kPathManager) != kNever;
  }
  is_another_round_due = true;
  if (subflows.empty()) on_last_subflow_gone(subflow, is_path_manager_busy);
}

namespace {

ConnectionError error_of(const tcp::Subflow& subflow, tcp::CloseReason reason) {
  switch (reason) {
    case tcp::CloseReason::kRefused:
      return ConnectionError::kRefused;
    case tcp::CloseReason::kTimedOut:
      return ConnectionError::kTimedOut;
    case tcp::CloseReason::kUnreachable:
      return subflow.soft_error() == ENETUNREACH ? ConnectionError::kNetUnreachable
                                                 : ConnectionError::kUnreachable;
    case tcp::CloseReason::kAborted:
      return ConnectionError::kAborted;
    default:
      return ConnectionError::kReset;
  }
}

}  // namespace

/// Whether the application has said how long it bears silence, and the last path was silent for that long: by
/// a user timeout, of what is not acknowledged (RFC 5482), or by keepalives, when nothing was on its way.
bool Connection::Impl::is_patience_over(const MptcpSubflow& last) const {
  if (last.end.has_value()) return false;  // its address went, or it was given up here: that is no silence
  const bool is_idle = is_everything_acked() && is_everything_granted();
  if (!is_idle) return config.subflow.user_timeout > Duration{0};
  return config.subflow.keepalive_idle.has_value() && !last.has_path_keepalive;
}

/// What the end of the last subflow means for the connection.
void Connection::Impl::on_last_subflow_gone(const MptcpSubflow& subflow, bool is_path_manager_busy) {
  if (closing.is_over) return;
  const tcp::CloseReason reason = subflow.close_reason_seen;
  // The network says that it leads nowhere from there; from another address it may.
  if (!raced.empty() && reason == tcp::CloseReason::kUnreachable && open_racer()) return;
  // A peer that ended its subflows with FIN had no more use for them: then only the DATA_ACK of our DATA_FIN
  // was lost, and nobody is left to repeat it.
  const bool is_finished_by_peer = reason == tcp::CloseReason::kFinished && receiving.is_fin_consumed &&
                                   closing.is_fin_sent && is_everything_acked();
  const bool is_orderly = negotiation.is_fallback() ? reason == tcp::CloseReason::kFinished
                                                    : is_done_both_ways() || is_finished_by_peer;
  if (is_orderly) return raise_over(ConnectionEvent::kClosed);
  // The application is gone and all it sent has arrived: nobody is left to tell.
  if (closing.is_app_closed && is_everything_acked() && is_everything_granted())
    return raise_over(ConnectionEvent::kClosed);

  if (negotiation.state == MultipathState::kEstablished) {
    // Break before make. A FIN is about that path, since no DATA_FIN came (RFC 8684, 3.3.3). A RST, unlike
    // silence, says that the peer has forgotten the connection, unless there was more than one path: then it
    // may be that path's alone.
    if (reason == tcp::CloseReason::kTimedOut && is_patience_over(subflow)) {
      return fail(ConnectionError::kTimedOut);
    }
    const bool is_path_lost = reason == tcp::CloseReason::kTimedOut ||
                              reason == tcp::CloseReason::kFinished || subflow.end.has_value();
    if (is_path_lost || is_path_manager_busy || (negotiation.is_server && most_subflows > 1)) {
      timer(ConnectionTimer::kSurvive) = now + config.survive_without_subflows;
      return;
    }
  }
  fail(error_of(subflow, reason));
}

/// Middleboxes or limits: this subflow only. To be called from outside of its own methods.
void Connection::Impl::reset_subflow(MptcpSubflow& subflow, wire::ResetReason reason) {
  if (subflow.is_closed) return;
  subflow.reset_reason = reason;
  subflow.abort(now);
  is_another_round_due = true;
}

}  // namespace braid::mptcp
