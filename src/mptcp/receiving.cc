// What comes in: MPTCP options, mappings and their data, checksums, the peer's DATA_FIN.
#include <algorithm>

#include "mptcp/connection_impl.h"
#include "mptcp/dss_checksum.h"

namespace braid::mptcp {

using tcp::SegmentVerdict;

namespace {

/// Payload without a mapping in so many segments in a row means that options are being taken out.
constexpr uint32_t kMostUnmappedInARow = 16;
}  // namespace

SegmentVerdict Connection::Impl::on_segment(MptcpSubflow& subflow, const wire::TcpSegment& segment,
                                            uint64_t window) {
  receiving.last_subflow = subflow.index;
  // Only the peer's RST, or a MP_FASTCLOSE of its own, is of interest any more.
  if (subflow.is_fastclose && !segment.flags.rst &&
      wire::find<wire::MpFastclose>(segment.options.mptcp) == nullptr)
    return SegmentVerdict::kDrop;
  const wire::MptcpOptions& options = segment.options.mptcp;
  if (segment.flags.rst) {
    if (const auto* fastclose = wire::find<wire::MpFastclose>(options))
      return on_fastclose(subflow, *fastclose, segment);
    if (const auto* reset = wire::find<wire::MpTcpRst>(options)) {
      counters().add(Counter::kMpRstRx);
      subflow.peers_reset_reason = reset->reason;
    }
    // It says why; what that subflow had sent is repeated anyway.
    if (wire::find<wire::MpFail>(options) != nullptr) counters().add(Counter::kMpFailRx);
    return SegmentVerdict::kAccept;
  }
  if (segment.options.malformed > 0)
    counters().add(Counter::kBraidMalformedOptions, segment.options.malformed);
  if (segment.flags.syn) return on_syn(subflow, segment, window);
  if (negotiation.is_fallback()) {
    if (receiving.awaits_infinite_map) on_answer_to_failure(subflow, segment);
    tell_unaware_peer(subflow, segment);
    return SegmentVerdict::kAccept;
  }
  if (negotiation.state == MultipathState::kNegotiating) return on_third_ack(subflow, segment, window);
  if (subflow.join != JoinState::kNone) {
    if (!subflow.is_joined()) {
      const SegmentVerdict verdict = on_join_segment(subflow, segment);
      if (verdict != SegmentVerdict::kAccept || !subflow.is_joined()) return verdict;
    } else if (wire::find<wire::MpJoinAck>(options) != nullptr) {
      ask_for_ack(subflow);  // our fourth ACK was lost
    }
  }
  note_options(subflow, segment);
  if (options.empty()) return on_bare_segment(subflow);
  return on_options(subflow, segment, window);
}

SegmentVerdict Connection::Impl::on_options(MptcpSubflow& subflow, const wire::TcpSegment& segment,
                                            uint64_t window) {
  for (const wire::MptcpOption& option : segment.options.mptcp) {
    const SegmentVerdict verdict = on_option(subflow, option, segment, window);
    if (verdict != SegmentVerdict::kAccept) return verdict;
    if (negotiation.is_fallback()) break;
  }
  return SegmentVerdict::kAccept;
}

/// We have sent MP_FAIL: the peer says that it knows, by MP_FAIL or by its infinite mapping, and then is
/// plain TCP as well.
void Connection::Impl::on_answer_to_failure(MptcpSubflow& subflow, const wire::TcpSegment& segment) {
  const wire::MptcpOptions& options = segment.options.mptcp;
  if (wire::find<wire::MpFail>(options) != nullptr) {
    counters().add(Counter::kMpFailRx);
    subflow.fail_due.reset();
  }
  const auto* dss = wire::find<wire::Dss>(options);
  const bool is_infinite = dss != nullptr && dss->mapping.has_value() && dss->mapping->data_length == 0;
  if (is_infinite) counters().add(Counter::kInfiniteMapRx);
  if (is_infinite || (options.empty() && !segment.payload.empty())) {
    receiving.awaits_infinite_map = false;
    subflow.fail_due.reset();
  }
}

SegmentVerdict Connection::Impl::on_option(MptcpSubflow& subflow, const wire::MptcpOption& option,
                                           const wire::TcpSegment& segment, uint64_t window) {
  if (const auto* dss = std::get_if<wire::Dss>(&option)) return on_dss(subflow, *dss, window);
  if (const auto* capable = std::get_if<wire::MpCapable>(&option)) {
    // Keys with the first data: a mapping of the stream's beginning (RFC 8684, 3.1).
    if (!negotiation.is_server || !subflow.is_initial || !capable->data_length.has_value() ||
        capable->sender_key != negotiation.remote.key)
      return SegmentVerdict::kAccept;
    return on_mapping(
        subflow,
        {.data_seq = {.value = negotiation.remote.idsn + 1 + subflow.rx_unmapped, .is_wide = true},
         .subflow_seq = 1,
         .data_length = *capable->data_length,
         .checksum = capable->checksum},
        false);
  }
  if (const auto* address = std::get_if<wire::AddAddr>(&option))
    on_add_addr(*address);
  else if (const auto* removal = std::get_if<wire::RemoveAddr>(&option))
    on_remove_addr(*removal);
  else if (const auto* priority = std::get_if<wire::MpPrio>(&option))
    on_priority(subflow, *priority);
  else if (const auto* failure = std::get_if<wire::MpFail>(&option))
    return on_fail_option(subflow, *failure);
  else if (const auto* fastclose = std::get_if<wire::MpFastclose>(&option))
    return on_fastclose(subflow, *fastclose, segment);
  return SegmentVerdict::kAccept;
}

SegmentVerdict Connection::Impl::on_dss(MptcpSubflow& subflow, const wire::Dss& dss, uint64_t window) {
  if (dss.data_ack.has_value()) {
    const uint64_t relative = dss.data_ack->value - negotiation.local.idsn;
    const uint64_t ack = dss.data_ack->is_wide
                             ? relative
                             : unwrap32(static_cast<uint32_t>(relative), sending.buffer.data_una().value());
    if (current != nullptr)
      subflow.acked_with_data_ack = std::max(
          subflow.acked_with_data_ack, unwrap(current->ack, subflow.initial_send_seq(), subflow.snd_una()));
    on_data_ack(DataOffset(ack), window);
  }
  if (!dss.mapping.has_value()) return SegmentVerdict::kAccept;
  subflow.has_seen_mapping = true;
  return on_mapping(subflow, *dss.mapping, dss.data_fin);
}

SegmentVerdict Connection::Impl::on_mapping(MptcpSubflow& subflow, const wire::DssMapping& mapping,
                                            bool has_data_fin) {
  receiving.is_peer_wide = mapping.data_seq.is_wide;
  const uint64_t relative = mapping.data_seq.value - negotiation.remote.idsn;
  const DataOffset data(mapping.data_seq.is_wide ? relative
                                                 : unwrap32(static_cast<uint32_t>(relative),
                                                            receiving.data.data_rcv_nxt().value()));
  const StreamOffset stream = subflow.rx_offset(mapping.subflow_seq);
  if (mapping.data_length == 0) return on_infinite_mapping(subflow, data, stream);
  // With and without alike: whoever does not do what was agreed is broken (RFC 8684, 3.3).
  if (negotiation.is_checksummed != mapping.checksum.has_value()) {
    counters().add(Counter::kDssNotMatching);
    subflow.reset_reason = wire::ResetReason::kMptcpSpecific;
    return SegmentVerdict::kReset;
  }
  const uint32_t payload = mapping.data_length - (has_data_fin ? 1u : 0u);
  if (payload == 0) {
    const uint64_t dsn = negotiation.remote.idsn + data.value();
    if (negotiation.is_checksummed &&
        !is_dss_checksum_right({}, dsn, mapping.subflow_seq, mapping.data_length, *mapping.checksum)) {
      counters().add(Counter::kDataCsumErr);
      return SegmentVerdict::kAccept;
    }
    on_data_fin(data);
    return SegmentVerdict::kAccept;
  }
  RxMap map{.data_begin = data, .stream_begin = stream, .length = payload, .has_data_fin = has_data_fin};
  if (negotiation.is_checksummed) map.checksum = mapping.checksum;
  return add_mapping(subflow, map);
}

SegmentVerdict Connection::Impl::add_mapping(MptcpSubflow& subflow, const RxMap& map) {
  switch (subflow.rx.add(map, subflow.rcv_nxt())) {
    case MapResult::kOk:
      subflow.unmapped_in_a_row = 0;
      break;
    case MapResult::kDuplicate:
    case MapResult::kOld:
      break;
    case MapResult::kConflict:
      counters().add(Counter::kDssNotMatching);
      subflow.reset_reason = wire::ResetReason::kMiddleboxInterference;
      return SegmentVerdict::kReset;
    case MapResult::kTooMany:
      return SegmentVerdict::kDrop;
  }
  // With a checksum the DATA_FIN counts when the mapping is verified.
  if (map.has_data_fin && !map.checksum.has_value()) on_data_fin(map.data_begin + map.length);
  return SegmentVerdict::kAccept;
}

/// The peer is plain TCP from that octet on (RFC 8684, 3.7).
SegmentVerdict Connection::Impl::on_infinite_mapping(MptcpSubflow& subflow, DataOffset data,
                                                     StreamOffset stream) {
  counters().add(Counter::kInfiniteMapRx);
  const uint64_t next = data.value() + (subflow.rcv_nxt().value() - stream.value());
  // A hole in the data before it could never be filled.
  // Of a mapping with a checksum there may be the beginning only.
  const uint64_t have = receiving.data.data_rcv_nxt().value() + subflow.held.received_bytes;
  if (!can_fall_back_in_mid_stream(subflow) || next > have) {
    subflow.reset_reason = wire::ResetReason::kMiddleboxInterference;
    return SegmentVerdict::kReset;
  }
  if (next < have) subflow.held.clear();
  become_plain(subflow, FallbackReason::kPeerInfiniteMapping, subflow.rcv_nxt());
  receiving.linear_data = DataOffset(next);
  return SegmentVerdict::kAccept;
}

void Connection::Impl::on_data(MptcpSubflow& subflow, StreamOffset offset, Slice payload) {
  subflow.data_received_bytes += payload.size();
  if (negotiation.is_fallback()) {
    if (offset >= receiving.linear_stream)
      deliver(subflow, receiving.linear_data + (offset - receiving.linear_stream), std::move(payload));
    return on_delivered();
  }
  if (negotiation.state == MultipathState::kNegotiating) return on_syn_data(subflow, std::move(payload));
  const StreamOffset end = offset + payload.size();
  while (!payload.empty() && !negotiation.is_fallback()) {
    const RxMap* map = subflow.rx.find(offset);
    size_t part = payload.size();
    if (map != nullptr) {
      part = std::min<size_t>(part, map->stream_begin + map->length - offset);
      on_mapped_data(subflow, *map, offset,
                     part == payload.size() ? std::move(payload) : payload.sub(0, part));
    } else {
      const RxMap* next = subflow.rx.next_after(offset);
      if (next != nullptr) part = std::min<size_t>(part, next->stream_begin - offset);
      on_unmapped_data(subflow, offset, payload.sub(0, part));
    }
    if (part >= payload.size()) break;
    payload.remove_prefix(part);
    offset += part;
    // A checksum that failed, or the first data without mapping, may have made the rest plain TCP.
    if (negotiation.is_fallback() && !payload.empty())
      deliver(subflow, receiving.linear_data + (offset - receiving.linear_stream), std::move(payload));
  }
  subflow.rx.acknowledge(end);
  on_delivered();
}

void Connection::Impl::on_mapped_data(MptcpSubflow& subflow, const RxMap& map, StreamOffset offset,
                                      Slice payload) {
  if (map.checksum.has_value()) return hold(subflow, map, offset, std::move(payload));
  deliver(subflow, map.data_begin + (offset - map.stream_begin), std::move(payload));
}

/// ACKed by the subflow, never by DATA_ACK: the peer repeats them at data level.
void Connection::Impl::on_unmapped_data(MptcpSubflow& subflow, StreamOffset offset, Slice payload) {
  // Options vanished, after the handshake before any mapping but that of the keys came (RFC 8684, 3.7).
  // Later, a segment that had none at all: one whose neighbour's are left was coalesced with it, and the peer
  // sends it again.
  const bool is_bare = subflow.bare_from.has_value() && offset >= *subflow.bare_from;
  if ((is_bare || !subflow.has_seen_mapping) && is_linear(subflow, offset)) {
    counters().add(Counter::kMpCapableDataFallback);
    // DATA_ACKs of ours may have made the peer believe in MPTCP.
    subflow.fail_due = negotiation.remote.idsn + offset.value();
    become_plain(subflow, FallbackReason::kDataWithoutMapping, offset);
    return deliver(subflow, DataOffset(offset.value()), std::move(payload));
  }
  counters().add(Counter::kBraidUnmappedBytes, payload.size());
  if (++subflow.unmapped_in_a_row > kMostUnmappedInARow && !subflow.reset_reason.has_value()) {
    subflow.reset_reason = wire::ResetReason::kMiddleboxInterference;
    is_settling_due = true;
  }
}

/// A mapping with a checksum is delivered as a whole or not at all (RFC 8684, 3.3.1).
void Connection::Impl::hold(MptcpSubflow& subflow, const RxMap& map, StreamOffset offset, Slice payload) {
  HeldMap& held = subflow.held;
  if (held.received_bytes == 0) held.stream_begin = map.stream_begin;
  // Its beginning came before the mapping did, and is lost: this cannot be verified any more.
  if (held.stream_begin != map.stream_begin || offset != held.stream_begin + held.received_bytes) {
    counters().add(Counter::kBraidUnmappedBytes, payload.size());
    if (offset + payload.size() == map.stream_begin + map.length) held.clear();
    return;
  }
  held.sum.add(payload.bytes());
  held.received_bytes += static_cast<uint32_t>(payload.size());
  held.slices.push_back(std::move(payload));
  if (held.received_bytes < map.length) return;

  const auto length = static_cast<uint16_t>(map.length + (map.has_data_fin ? 1 : 0));
  if (!is_dss_checksum_right(held.sum, negotiation.remote.idsn + map.data_begin.value(),
                             subflow.rx_ssn(map.stream_begin), length, *map.checksum))
    return on_bad_checksum(subflow, map);
  DataOffset position = map.data_begin;
  while (!held.slices.empty()) {
    Slice slice = held.slices.pop_front();
    const size_t size = slice.size();
    deliver(subflow, position, std::move(slice));
    position += size;
  }
  held.clear();
  if (map.has_data_fin) on_data_fin(map.data_begin + map.length);
}

void Connection::Impl::on_bad_checksum(MptcpSubflow& subflow, const RxMap& map) {
  counters().add(Counter::kDataCsumErr);
  subflow.fail_due = negotiation.remote.idsn + map.data_begin.value();
  const bool leaves_no_hole = map.data_begin <= receiving.data.data_rcv_nxt();
  if (!is_only_subflow(subflow) || !can_fall_back_in_mid_stream(subflow) || !leaves_no_hole) {
    // The others carry on; what this one brought is repeated there (RFC 8684, 3.7).
    counters().add(Counter::kDssCorruptionReset);
    subflow.held.clear();
    subflow.reset_reason = wire::ResetReason::kMiddleboxInterference;
    is_settling_due = true;
    return;
  }
  // The middlebox's octets are the stream from here on.
  counters().add(Counter::kDssCorruptionFallback);
  receiving.linear_data = map.data_begin;
  receiving.linear_stream = map.stream_begin;
  Ring<Slice> slices = std::move(subflow.held.slices);
  subflow.held.slices = {};
  fall_back_in_mid_stream(subflow, FallbackReason::kChecksumFailed);
  receiving.awaits_infinite_map = true;
  DataOffset position = receiving.linear_data;
  while (!slices.empty()) {
    Slice slice = slices.pop_front();
    const size_t size = slice.size();
    deliver(subflow, position, std::move(slice));
    position += size;
  }
  ask_for_ack(subflow);
}

void Connection::Impl::deliver(MptcpSubflow& subflow, DataOffset begin, Slice payload) {
  const size_t size = payload.size();
  DataOffset limit = receiving.buffer.edge() + receive_limit_slack();
  // Nothing follows a DATA_FIN.
  if (receiving.fin.has_value()) limit = std::min(limit, *receiving.fin);
  if (begin + size > limit) counters().add(Counter::kNoDssInWindow);
  const uint64_t fresh =
      receiving.data.insert(begin, std::move(payload), limit, subflow.index % Reassembly::kMaxHints);
  if (fresh == 0) counters().add(Counter::kDuplicateData);
  receiving.buffer.on_held(receiving.data.data_read(), receiving.data.out_of_order_bytes(), mss());
  if (fresh > 0 && closing.is_app_closed) is_settling_due = closing.is_refusing_due = true;
}

/// After payload was put in its place.
void Connection::Impl::on_delivered() {
  check_paths_due();
  if (receiving.fin.has_value()) consume_fin();
  if (receiving.data.readable_bytes() > 0) raise_readable();
}

void Connection::Impl::on_data_fin(DataOffset offset) {
  if (receiving.fin.has_value()) {
    if (*receiving.fin != offset) counters().add(Counter::kBraidBadDataFin);
    // It is repeated because our DATA_ACK was lost.
    else if (receiving.is_fin_consumed)
      ask_all_for_acks();
    return;
  }
  // All before it is within the window, and it takes no room itself.
  if (offset < receiving.data.data_rcv_nxt() || offset > receiving.buffer.edge() + receive_limit_slack()) {
    counters().add(Counter::kBraidBadDataFin);
    return;
  }
  receiving.fin = offset;
  consume_fin();
}

void Connection::Impl::consume_fin() {
  if (receiving.is_fin_consumed || receiving.data.data_rcv_nxt() != *receiving.fin) return;
  receiving.is_fin_consumed = true;
  if (!negotiation.is_fallback()) ask_all_for_acks();
  raise(ConnectionEvent::kPeerClosed);
  raise_readable();
  is_settling_due = true;
}

DataOffset Connection::Impl::data_ack() const {
  return receiving.data.data_rcv_nxt() + (receiving.is_fin_consumed ? 1 : 0);
}

}  // namespace braid::mptcp
