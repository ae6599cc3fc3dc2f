// Grants to subflows, DATA_ACK, reinjection: the sender's side of the data sequence space.
#include <algorithm>
#include <cmath>
#include <utility>

#include "mptcp/connection_impl.h"
#include "mptcp/dss_checksum.h"
#include "mptcp/scheduler/preference.h"

namespace braid::mptcp {

namespace {

constexpr uint32_t kMostMapBytes = 65'534;  // the 16 bits of data_length, one octet kept for a DATA_FIN
constexpr size_t kMapsSearchedForHead = 8;
constexpr uint64_t kMostRepeatedAtOnce = 64u << 10;
constexpr uint32_t kMostStagnations = 8;
constexpr uint32_t kMostSuspicions = 4;
constexpr double kCautionStep = 1.5, kMostCaution = 8;
constexpr int kCautionHalfLife = 64;  // round trips
constexpr int kCappedRoundTrips = 2;
constexpr Duration kCorkDelay = 200ms;
constexpr Duration kLongestProbeInterval = 60s;

}  // namespace

uint32_t Connection::Impl::poll_data(MptcpSubflow& subflow, uint32_t max_bytes) {
  if (!subflow.is_usable() || subflow.is_fastclose || negotiation.is_third_ack_due) return 0;
  if (negotiation.state == MultipathState::kNegotiating && !subflow.is_fast_open_pending()) return 0;
  uint64_t limit = std::min({max_bytes, config.subflow.max_super_segment, kMostMapBytes});
  if (config.cap_rtt) limit = std::min(limit, room_under_cap(subflow));
  if (limit == 0) return 0;

  if (const auto range = take_reinjection(subflow, limit)) {
    push_map(subflow, *range, DataSource::kReinjection);
    return static_cast<uint32_t>(range->size());
  }
  if (is_redundant()) {
    if (const auto copy = next_copy(subflow, limit)) {
      push_map(subflow, *copy, DataSource::kCopy);
      return static_cast<uint32_t>(copy->size());
    }
    // First what the others have: else it would never be through.
    if (subflow.copied_to < sending.next) return 0;
  }
  if (const uint64_t fresh = grant_fresh(subflow, limit); fresh > 0) {
    push_map(subflow, {sending.next, sending.next + fresh}, DataSource::kNew);
    return static_cast<uint32_t>(fresh);
  }
  if (const auto head = rescue_head(subflow, limit)) {
    push_map(subflow, *head, DataSource::kReinjection);
    return static_cast<uint32_t>(head->size());
  }
  if (sending.next == sending.buffer.end()) on_starved(limit);
  return 0;
}

std::optional<DataRange> Connection::Impl::take_reinjection(MptcpSubflow& subflow, uint64_t max_bytes) {
  if (sending.reinjections.empty() || !may_take_reinjections(subflow)) return std::nullopt;
  const DataOffset una = sending.buffer.data_una();
  if (sending.has_copies) {
    const auto first = sending.reinjections.first_for(subflow.index, una);
    if (!first.has_value()) return std::nullopt;
    max_bytes = std::min(max_bytes, reinjectable_bytes(subflow, *first));
    if (max_bytes == 0) return std::nullopt;
  }
  return sending.reinjections.take(subflow.index, una, max_bytes);
}

bool Connection::Impl::has_pending_data(const MptcpSubflow& subflow) const {
  if (!subflow.is_usable()) return false;
  return sending.next < sending.buffer.end() || sending.reinjections.bytes_for(subflow.index) > 0;
}

/// New data: what the peer's window, the scheduler and Nagle allow.
uint64_t Connection::Impl::grant_fresh(MptcpSubflow& subflow, uint64_t max_bytes) {
  const uint64_t buffered = sending.buffer.end() - sending.next;
  if (buffered == 0) {
    if (sending.was_refused && send_room() == 0) ++sending.window_stops;
    return 0;
  }
  const uint64_t window = sending.window_edge > sending.next ? sending.window_edge - sending.next : 0;
  const uint64_t waiting = std::min(buffered, window);
  if (waiting == 0) {
    ++sending.window_stops;
    // Nothing in flight, so no ACK will tell of the window: ask (RFC 9293, 3.8.6.1).
    if (is_everything_acked() && timer(ConnectionTimer::kPersist) == kNever)
      timer(ConnectionTimer::kPersist) = now + data_rto();
    return 0;
  }
  uint64_t granted = std::min(waiting, max_bytes);
  if (subflows.size() > 1) {
    granted = std::min(ask_scheduler(subflow, waiting, false), max_bytes);
  }
  // A subflow that is full asks for whole segments of its own accord.
  return granted == max_bytes ? granted : without_partial_segment(subflow, granted, buffered);
}

/// At most `waiting`.
uint64_t Connection::Impl::ask_scheduler(const MptcpSubflow& subflow, uint64_t waiting, bool is_copy) {
  update_views();
  if (subflow.is_silent() &&
      std::any_of(views.begin(), views.end(), [](const auto& v) { return v.is_usable && !v.is_stalled; }))
    return 0;
  const auto asking = std::find_if(views.begin(), views.end(),
                                   [&](const SubflowView& view) { return view.index == subflow.index; });
  const uint64_t granted = scheduler->grant({
      .subflows = views,
      .asking = &*asking,
      .waiting_bytes = waiting,
      .buffered_bytes = sending.buffer.end() - sending.next,
      .reinject_bytes = sending.reinjections.bytes_for(subflow.index),
      .window_bytes = data_window(),
      .window_stops = sending.window_stops,
      .is_send_buffer_full = send_room() == 0,
      .caution = caution(),
      .is_copy = is_copy,
      .now = now,
  });
  return std::min(granted, waiting);
}

/// Cuts a grant down to whole segments where the rest had better wait: sender's silly window avoidance, Nagle
/// (RFC 9293, 3.7.4) in Minshall's form (only one partial segment outstanding), and the cork.
uint64_t Connection::Impl::without_partial_segment(MptcpSubflow& subflow, uint64_t bytes, uint64_t buffered) {
  const uint64_t mss_bytes = subflow.mss();
  const uint64_t partial = bytes % mss_bytes;
  if (bytes == 0 || partial == 0) return bytes;
  const uint64_t whole = bytes - partial;
  if (bytes < buffered) {
    // More follows: a window or a room that is no multiple of the segment will grow.
    return whole > 0 || !is_everything_acked() || subflow.snd_una() != subflow.snd_end() ? whole : bytes;
  }
  if (closing.is_send_shut || sending.is_push_due) {
    sending.is_push_due = false;
    return bytes;
  }
  if (sending.is_corked) {
    if (timer(ConnectionTimer::kCork) == kNever) timer(ConnectionTimer::kCork) = now + kCorkDelay;
    return whole;
  }
  if (sending.no_delay || sending.partial_end <= sending.buffer.data_una()) {
    sending.partial_end = sending.next + bytes;
    return bytes;
  }
  return whole;
}

/// Capping (NSDI 2012, 4.2, M4): how much more may be under way where the queue is longer than the path.
uint64_t Connection::Impl::room_under_cap(const MptcpSubflow& subflow) {
  const tcp::LossRecovery& recovery = subflow.recovery();
  const Duration longest = kCappedRoundTrips * recovery.rtt().min_rtt();
  if (recovery.rtt().srtt() <= longest) return UINT64_MAX;
  const double share =
      static_cast<double>(longest.count()) / static_cast<double>(recovery.rtt().srtt().count());
  const auto cap = static_cast<uint64_t>(share * static_cast<double>(recovery.cwnd_bytes()));
  const uint64_t held = recovery.in_flight_bytes() + (subflow.snd_end() - subflow.snd_nxt());
  return std::max<uint64_t>(cap, 2 * subflow.mss()) > held ? std::max<uint64_t>(cap, 2 * subflow.mss()) - held
                                                           : 0;
}

bool Connection::Impl::may_take_reinjections(const MptcpSubflow& subflow) const {
  if (subflow.is_silent()) return subflows.size() == 1;
  if (!subflow.is_backup()) return true;
  return std::none_of(subflows.begin(), subflows.end(), [](const auto& other) {
    return other->is_usable() && !other->is_backup() && !other->is_silent();
  });
}

/// Opportunistic retransmission and penalisation (NSDI 2012, 4.2, M1 and M2): this subflow has room, but the
/// window is blocked by data on another. Those go again on this one, and the other slows down.
std::optional<DataRange> Connection::Impl::rescue_head(MptcpSubflow& subflow, uint64_t max_bytes) {
  // With redundancy each gets it anyway.
  if (subflows.size() < 2 || subflow.is_silent() || is_redundant() || !is_window_blocked(subflow))
    return std::nullopt;
  const DataOffset head = sending.buffer.data_una();
  if (head < sending.rescued_to || !may_take_reinjections(subflow)) return std::nullopt;
  MptcpSubflow* holder = holder_of(head, subflow);
  if (holder == nullptr || (sending.has_copies && subflow.is_carrying(head))) return std::nullopt;
  const tcp::LossRecovery& its = holder->recovery();
  // It may have the shorter round trip: what it has lost takes longer.
  if (its.rtt().srtt() <= subflow.recovery().rtt().srtt() && !its.in_recovery()) return std::nullopt;
  // The one that carries most is not what has to give way.
  update_views();
  const auto view_of = [&](const MptcpSubflow& s) {
    return *std::ranges::find(views, s.index, &SubflowView::index);
  };
  if (rate_of(view_of(*holder), data_window()) < rate_of(view_of(subflow), data_window()))
    on_blocking(*holder);
  if (!config.opportunistic_retransmission) return std::nullopt;
  DataOffset end = sending.next;
  for (size_t i = 0; i < std::min(holder->tx.size(), kMapsSearchedForHead); ++i) {
    const DataMap& map = holder->tx[i];
    if (map.data_begin <= head && head < map.data_end()) end = map.data_end();
  }
  end = std::min(end, head + max_bytes);
  sending.rescued_to = end;
  if (is_logged())
    log({.kind = Decision::Kind::kReinjected, .why = "the window is blocked", .amount = end - head}, subflow);
  return DataRange{head, end};
}

/// Nothing new may be sent before what was sent first is acknowledged: the peer's window or our buffer is
/// full.
bool Connection::Impl::is_window_blocked(const MptcpSubflow& subflow) const {
  if (sending.next == sending.buffer.end()) return sending.was_refused && send_room() == 0;
  // Less than a segment is left of it: what silly window avoidance makes of a closed one.
  return sending.window_edge < sending.next + subflow.mss();
}

/// A slow subflow's data keep a faster one waiting: less of them from now on.
void Connection::Impl::on_blocking(MptcpSubflow& holder) {
  tcp::LossRecovery& recovery = holder.recovery();
  if (now - sending.cautioned_at >= recovery.rtt().srtt()) {
    sending.caution = std::min(kCautionStep * caution(), kMostCaution);
    sending.cautioned_at = now;
  }
  // Once per round trip; in recovery the window has just fallen, and little of it is in use.
  if (!config.penalise || recovery.in_recovery() || recovery.congestion_control().in_slow_start()) return;
  if (now - holder.penalised_at < recovery.rtt().srtt()) return;
  // What has run empty, since the window was shut, is not what fills it now: the penalty would come on top of
  // the loss that shut it. And it is a share of the window, not of what that left in flight.
  if (2 * recovery.in_flight_bytes() < recovery.cwnd_bytes()) return;
  recovery.congestion_control().on_congestion(
      {.now = now, .in_flight_bytes = recovery.cwnd_bytes(), .srtt = recovery.rtt().srtt()});
  holder.penalised_at = now;
  if (is_logged()) log({.kind = Decision::Kind::kPenalised, .why = "it blocks the window"}, holder);
}

/// ScheduleInput::caution: grows when the window was blocked, and then fades.
double Connection::Impl::caution() const {
  if (sending.caution <= 1) return 1;
  const Duration half_life = std::max<Duration>(kCautionHalfLife * largest_srtt(), 1ms);
  const double age =
      static_cast<double>((now - sending.cautioned_at).count()) / static_cast<double>(half_life.count());
  return 1 + (sending.caution - 1) * std::exp2(-age);
}

/// The subflow, not the asking one, that has not delivered the octet yet. It is the oldest that waits, so it
/// is among the first of its maps.
MptcpSubflow* Connection::Impl::holder_of(DataOffset offset, const MptcpSubflow& asking) {
  for (const auto& subflow : subflows) {
    if (subflow.get() == &asking || subflow->is_closed) continue;
    for (size_t i = 0; i < std::min(subflow->tx.size(), kMapsSearchedForHead); ++i) {
      const DataMap& map = subflow->tx[i];
      if (map.data_begin <= offset && offset < map.data_end()) return subflow.get();
    }
  }
  return nullptr;
}

void Connection::Impl::push_map(MptcpSubflow& subflow, DataRange range, DataSource source) {
  DataMap map{.data_begin = range.begin,
              .stream_begin = subflow.snd_end(),
              .length = static_cast<uint32_t>(range.size()),
              .is_reinjection = source != DataSource::kNew};
  if (closing.is_send_shut && range.end == sending.buffer.end() && negotiation.is_multipath()) {
    // Not on the map that the keys go with: its option has no place for it. And all copies alike: Linux
    // forgets to act on a DATA_FIN that it first sees beside data it has already, and never hears another
    // one.
    if (source == DataSource::kNew) closing.is_fin_mapped = negotiation.state == MultipathState::kEstablished;
    map.has_data_fin = closing.is_fin_mapped;
  }
  // With Fast Open a server is ahead of the third ACK.
  if ((negotiation.is_multipath() || subflow.is_fast_open_pending()) && negotiation.is_checksummed)
    map.checksum = checksum_of(subflow, map);
  subflow.tx.push(map);
  sending.buffer.retain(range.begin, range.end);
  subflow.data_sent_bytes += range.size();
  subflow.granted_at = now;
  if (source != DataSource::kNew) {
    sending.has_repeated = true;
    subflow.reinjected_bytes += range.size();
    sending.reinjected_bytes += range.size();
    if (source == DataSource::kReinjection) counters().add(Counter::kRetrans);
    counters().add(Counter::kBraidReinjectedBytes, range.size());
  } else {
    sending.next = range.end;
    subflow.copied_to = range.end;
    if (negotiation.is_multipath() && timer(ConnectionTimer::kDataRetransmit) == kNever)
      timer(ConnectionTimer::kDataRetransmit) = now + data_rto();
  }
  if (map.has_data_fin && !closing.is_fin_sent) {
    closing.is_fin_sent = true;
    timer(ConnectionTimer::kDataFin) = now + data_rto();
  }
}

uint16_t Connection::Impl::checksum_of(const MptcpSubflow& subflow, const DataMap& map) {
  wire::InternetChecksum sum;
  tcp::SegmentPayload payload;
  for (uint32_t done = 0; done < map.length; done += payload.bytes) {
    payload.slices.clear();
    payload.bytes = 0;
    BRAID_CHECK(sending.buffer.fetch(map.data_begin + done, map.length - done, payload));
    for (const Slice& slice : payload.slices) sum.add(slice.bytes());
  }
  return dss_checksum(sum, negotiation.local.idsn + map.data_begin.value(), subflow.tx_ssn(map.stream_begin),
                      static_cast<uint16_t>(map.length + (map.has_data_fin ? 1 : 0)));
}

void Connection::Impl::fetch_payload(MptcpSubflow& subflow, StreamOffset offset, uint32_t max_bytes,
                                     tcp::SegmentPayload& payload) {
  const DataMap* map = subflow.tx.find(offset);
  BRAID_CHECK(map != nullptr);
  const uint64_t into = offset - map->stream_begin;
  const auto bytes = static_cast<uint32_t>(std::min<uint64_t>(max_bytes, map->length - into));
  BRAID_CHECK(sending.buffer.fetch(map->data_begin + into, bytes, payload));
  payload.should_push = map->data_begin + into + payload.bytes == sending.buffer.end();
}

/// A DATA_ACK, unwrapped; `window` is relative to it (RFC 8684, 3.3.5).
void Connection::Impl::on_data_ack(DataOffset ack, uint64_t window) {
  // ADD_ADDR may have waited for it.
  if (!std::exchange(sending.has_data_ack_come, true)) schedule_announcements();
  const DataOffset una = sending.buffer.data_una();
  const DataOffset highest = sending.next + (closing.is_fin_sent ? 1 : 0);
  if (ack > highest) {
    counters().add(Counter::kBraidBadDataAck);
    return;
  }
  if (negotiation.state == MultipathState::kConfirmed) establish();
  if (const DataOffset edge = ack + window; edge > sending.window_edge) {
    sending.window_edge = edge;
    sending.probes = 0;
    timer(ConnectionTimer::kPersist) = kNever;
    is_another_round_due = true;
  }
  if (ack <= una) return;
  sending.buffer.acknowledge(std::min(ack, sending.next));
  on_data_progress();
  if (closing.is_fin_sent && !closing.is_fin_acked && ack == sending.buffer.end() + 1) on_data_fin_acked();
}

void Connection::Impl::on_data_progress() {
  sending.stagnations = sending.word_probes = 0;
  closing.progress_at = now;
  const DataOffset una = sending.buffer.data_una();
  for (const auto& subflow : subflows) {
    if (subflow->unconfirmed_begin == subflow->unconfirmed_end || una < subflow->unconfirmed_end) continue;
    if (!subflow->is_suspected) subflow->suspicions = 0;
    subflow->is_suspected = false;
    subflow->unconfirmed_begin = subflow->unconfirmed_end;
  }
  if (is_everything_acked()) timer(ConnectionTimer::kDataRetransmit) = kNever;
  tune_send_buffer();
  if (sending.was_refused && 3 * send_room() >= sending.limit_bytes) {
    sending.was_refused = false;
    raise(ConnectionEvent::kWritable);
  }
}

void Connection::Impl::on_acked(MptcpSubflow& subflow, StreamOffset snd_una) {
  if (negotiation.is_fallback()) {
    const DataMap* map = subflow.tx.find(snd_una);
    const DataOffset delivered =
        map != nullptr ? map->data_begin + (snd_una - map->stream_begin) : sending.next;
    if (delivered > sending.buffer.data_una()) {
      sending.buffer.acknowledge(delivered);
      on_data_progress();
    }
  }
  const tcp::LossRecovery& recovery = subflow.recovery();
  const tcp::CongestionControl& control = recovery.congestion_control();
  subflow.usual_rate.on_ack({.now = now,
                             .srtt = recovery.rtt().srtt(),
                             .min_rtt = recovery.rtt().min_rtt(),
                             .cwnd_bytes = control.cwnd_bytes(),
                             .ssthresh_bytes = control.ssthresh_bytes(),
                             .in_flight_bytes = recovery.in_flight_bytes(),
                             .delivered_bytes = recovery.delivered_bytes(),
                             .snd_una = snd_una,
                             .snd_max = recovery.snd_max()});
  const DataOffset una = sending.buffer.data_una();
  bool is_ahead = false;
  subflow.tx.acknowledge(snd_una, [&](const DataMap& map) {
    sending.buffer.release(map.data_begin, map.data_end());
    if (map.data_end() <= una) return;
    if (subflow.unconfirmed_begin == subflow.unconfirmed_end) subflow.unconfirmed_begin = map.data_begin;
    subflow.unconfirmed_begin = std::min(subflow.unconfirmed_begin, map.data_begin);
    subflow.unconfirmed_end = std::max(subflow.unconfirmed_end, map.data_end());
    is_ahead = true;
  });
  if (is_ahead && negotiation.is_multipath()) {
    Time& at = timer(ConnectionTimer::kDataRetransmit);
    at = earlier(at, now + confirmation_delay());
  }
}

/// Everything the subflow holds and has not offered before may go on another.
uint64_t Connection::Impl::offer_to_others(MptcpSubflow& subflow) {
  if (!negotiation.is_multipath()) return 0;
  const DataOffset una = sending.buffer.data_una();
  uint64_t offered = 0;
  for (size_t i = 0; i < subflow.tx.size(); ++i) {
    const DataMap& map = subflow.tx[i];
    if (map.stream_begin < subflow.reinjected_to || map.data_end() <= una) continue;
    sending.reinjections.push({std::max(map.data_begin, una), map.data_end()}, subflow.index);
    offered += map.data_end() - std::max(map.data_begin, una);
  }
  subflow.reinjected_to = subflow.snd_end();
  is_another_round_due = true;
  return offered;
}

/// The subflows acknowledged, DATA_ACK does not follow: a proxy acknowledged what it then lost, or a DSS was
/// lost on the way. Only DATA_ACK frees data, and only repeating them brings it (RFC 8684, 3.3.6).
void Connection::Impl::on_data_retransmit_timer() {
  if (is_everything_acked() || !negotiation.is_multipath()) return;
  const auto missing = missing_at_peer();
  if (!missing.has_value()) {
    sending.missing_head.reset();
    timer(ConnectionTimer::kDataRetransmit) = now + data_rto();
    return;
  }
  if (MptcpSubflow* only = sole_subflow(); only != nullptr && !has_word_of_missing(*only))
    return await_word(*only);
  timer(ConnectionTimer::kDataRetransmit) =
      now + confirmation_delay() * (int64_t{1} << std::min(sending.stagnations, 8u));
  // Seen missing twice: a DATA_ACK that was only late has come by then.
  if (sending.missing_head == missing->begin) repeat_missing(*missing);
  sending.missing_head = missing->begin;
}

/// The oldest octets that no subflow is busy delivering, if the very next for the peer are such.
std::optional<DataRange> Connection::Impl::missing_at_peer() const {
  DataRange missing{sending.buffer.data_una(),
                    std::min(sending.next, sending.buffer.data_una() + kMostRepeatedAtOnce)};
  for (const auto& subflow : subflows) {
    if (subflow->is_closed) continue;
    for (size_t i = 0; i < subflow->tx.size(); ++i) {
      const DataMap& map = subflow->tx[i];
      if (map.data_end() <= missing.begin || map.data_begin >= missing.end) continue;
      if (map.data_begin <= missing.begin) return std::nullopt;
      missing.end = map.data_begin;
    }
  }
  return missing;
}

void Connection::Impl::repeat_missing(DataRange missing) {
  const size_t usable = usable_count();
  if (usable == 0) return;
  MptcpSubflow* suspect = suspect_of(missing.begin);
  if (suspect != nullptr && usable > 1) {
    suspect->is_suspected = true;
    // It carries TCP, not MPTCP, and the others had to repeat everything.
    if (++suspect->suspicions > kMostSuspicions)
      return reset_subflow(*suspect, wire::ResetReason::kMiddleboxInterference);
  }
  if (++sending.stagnations > kMostStagnations && usable == 1) {
    if (MptcpSubflow* only = best_subflow(true))
      return reset_subflow(*only, wire::ResetReason::kMiddleboxInterference);
  }
  const bool has_other = suspect != nullptr && usable > 1;
  sending.reinjections.push(missing, has_other ? suspect->index : ReinjectionQueue::kNobody);
  if (is_logged())
    log({.kind = Decision::Kind::kReinjected,
         .why = "acknowledged by a subflow only",
         .amount = missing.size()});
  is_another_round_due = true;
}

/// Who acknowledged that octet without having delivered it; of several, each in turn.
MptcpSubflow* Connection::Impl::suspect_of(DataOffset offset) {
  boost::container::static_vector<MptcpSubflow*, 16> suspects;
  for (const auto& subflow : subflows) {
    const bool may_be =
        subflow->is_usable() && subflow->unconfirmed_begin <= offset && offset < subflow->unconfirmed_end;
    if (may_be && suspects.size() < suspects.capacity()) suspects.push_back(subflow.get());
  }
  return suspects.empty() ? nullptr : suspects[sending.stagnations % suspects.size()];
}

/// By how much DATA_ACK may lag behind the subflows' ACKs: they travel together, but a peer may have been
/// busy.
Duration Connection::Impl::confirmation_delay() const { return largest_srtt() + config.subflow.delayed_ack; }

void Connection::Impl::on_persist_timer() {
  const bool is_blocked = sending.next < sending.buffer.end() && sending.window_edge <= sending.next;
  if (!is_blocked || closing.is_over) return;
  if (MptcpSubflow* only = sole_subflow(); only != nullptr && sending.probes > 0) {
    if (becomes_plain_like_peer(*only)) return;
    if (sending.probes > 1) probe_for_word(*only);
  }
  // A subflow whose own window is shut probes it by itself.
  if (MptcpSubflow* subflow = best_subflow(true); subflow != nullptr && subflow->send_window_bytes() > 0) {
    subflow->send_probe();
    is_another_round_due = true;
  }
  const Duration interval = data_rto() * (int64_t{1} << std::min(sending.probes++, 12u));
  timer(ConnectionTimer::kPersist) = now + std::min<Duration>(interval, kLongestProbeInterval);
}

/// 2 * sum(bandwidth) * largest RTT (NSDI 2012, 4.2), once per round trip.
void Connection::Impl::tune_send_buffer() {
  if (sending.is_limit_fixed || !config.autotune || sending.limit_bytes >= config.send_buffer_bytes) return;
  const Duration rtt = largest_srtt();
  if (now - sending.tuned_at < rtt) return;
  sending.tuned_at = now;
  double wanted = 0;
  for (const auto& subflow : subflows) {
    const Duration srtt = subflow->recovery().rtt().srtt();
    if (!subflow->is_usable() || srtt <= Duration(0)) continue;
    wanted += 2.0 * static_cast<double>(subflow->recovery().cwnd_bytes()) * static_cast<double>(rtt.count()) /
              static_cast<double>(srtt.count());
  }
  const auto ceiling = static_cast<double>(config.send_buffer_bytes);
  sending.limit_bytes = std::max(sending.limit_bytes, static_cast<uint64_t>(std::min(wanted, ceiling)));
}

/// How far data may run ahead of DATA_ACK. A send buffer that grows by itself is as large as it may become.
uint64_t Connection::Impl::data_window() const {
  const bool grows = config.autotune && !sending.is_limit_fixed;
  const uint64_t limit =
      grows ? std::max(sending.limit_bytes, config.send_buffer_bytes) : sending.limit_bytes;
  const DataOffset una = sending.buffer.data_una();
  return std::min(limit, sending.window_edge > una ? sending.window_edge - una : 0);
}

/// A subflow has room for `bytes`, and the application more to send than the buffer took. Where there is room
/// by now it need not wait until there is much of it. Where there is none, all of that waits for
/// acknowledgements: losses are being repaired, which takes more than the round trips that tuning counts on.
void Connection::Impl::on_starved(uint64_t bytes) {
  if (!sending.was_refused) return;
  if (send_room() == 0) {
    if (sending.is_limit_fixed || !config.autotune || sending.limit_bytes >= config.send_buffer_bytes) return;
    sending.limit_bytes = std::min(sending.limit_bytes + bytes, config.send_buffer_bytes);
    // The last slice may have gone further beyond the limit than that: whoever is told finds room.
    if (send_room() == 0) return;
  }
  sending.was_refused = false;
  raise(ConnectionEvent::kWritable);
}

uint64_t Connection::Impl::send_room() const {
  const uint64_t used = sending.buffer.occupancy_bytes();
  return used >= sending.limit_bytes ? 0 : sending.limit_bytes - used;
}

}  // namespace braid::mptcp
