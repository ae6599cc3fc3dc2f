// Whether the peer, or the path, has turned to plain TCP without a word (RFC 8684, 3.7), and how both ends
// come to agree on it.
//
// What keeps the octets right, whoever believes what and for how long: as long as there never was but one
// subflow, and it carries each octet once, a mapping says no more than where plain TCP would put its octets
// too. So one end may read the line while the other still writes mappings. That would end with the first
// octet sent again at data level, which plain TCP takes for new ones: on an only subflow it takes the peer's
// own word that they are missing, a DATA_ACK beside an ACK that goes further. Who gave it is not on the line
// any more, and cannot fall back without being told.
#include <algorithm>

#include "mptcp/connection_impl.h"
#include "wire/summary.h"

namespace braid::mptcp {

namespace {

// A mapping with a checksum is confirmed as a whole; none is longer.
constexpr uint64_t kLongestMapBytes = 65'535;
// Unanswered by any option, that many make it plain TCP where options did come through before.
constexpr uint32_t kProbesWithoutWord = 2;
constexpr uint32_t kMostProbesWithoutWord = 10;
constexpr uint32_t kLargestProbeBackoff = 5;

}  // namespace

/// The only subflow there ever was.
MptcpSubflow* Connection::Impl::sole_subflow() {
  MptcpSubflow* only = initial();
  const bool is_sole = only != nullptr && !only->is_closed && !had_siblings && is_only_subflow(*only);
  return is_sole ? only : nullptr;
}

/// Whether data and subflow offsets are one line in both directions, up to `received_to` of what comes in.
bool Connection::Impl::is_linear(const MptcpSubflow& subflow, StreamOffset received_to) const {
  return subflow.is_initial && !may_have_siblings && !sending.has_repeated && is_only_subflow(subflow) &&
         receiving.data.out_of_order_bytes() == 0 &&
         receiving.data.data_rcv_nxt().value() + subflow.held.received_bytes == received_to.value();
}

/// What an acceptable segment shows of the way that options have.
void Connection::Impl::note_options(MptcpSubflow& subflow, const wire::TcpSegment& segment) {
  if (!segment.options.mptcp.empty()) {
    subflow.bare_in_a_row = subflow.probes_without_word = 0;
    return;
  }
  if (subflow.bare_in_a_row++ == 0) subflow.bare_since = now;
  // When it is believed it is long gone. Behind a proxy they are many: only what may decide is kept.
  if (subflow.bare_in_a_row == 1 && (!sending.has_data_ack_come || subflow.probes_without_word > 0))
    negotiation.bare_packet = wire::summary(segment);
  if (segment.flags.fin) subflow.has_bare_fin = true;
  if (segment.payload.empty()) return;
  const StreamOffset begin = unwrap(segment.seq, subflow.initial_receive_seq(), subflow.rcv_nxt());
  if (!subflow.bare_from.has_value() || begin < *subflow.bare_from) subflow.bare_from = begin;
}

/// A segment without any MPTCP option where there should be one. It may be that of a proxy that is faster
/// than the peer: what it means is seen when no DATA_ACK follows.
tcp::SegmentVerdict Connection::Impl::on_bare_segment(MptcpSubflow& subflow) {
  Time& at = timer(ConnectionTimer::kDataRetransmit);
  if (&subflow == sole_subflow() && !sending.has_data_ack_come && at != kNever)
    at = earlier(at, subflow.bare_since + subflow.handshake_rto);
  return tcp::SegmentVerdict::kAccept;
}

/// The peer itself says of what it has received by TCP that it is missing at data level.
bool Connection::Impl::has_word_of_missing(const MptcpSubflow& only) const {
  return only.acked_with_data_ack >= only.snd_end() ||
         only.acked_with_data_ack.value() >= sending.buffer.data_una().value() + kLongestMapBytes;
}

/// The only subflow acknowledged data, and the peer neither confirms them nor says that they are missing.
void Connection::Impl::await_word(MptcpSubflow& only) {
  Time& at = timer(ConnectionTimer::kDataRetransmit);
  const Time earliest = only.bare_since + only.handshake_rto;
  const bool is_early = only.bare_in_a_row > 0 && now < earliest;
  if (!is_early && becomes_plain_like_peer(only)) return;
  const int64_t backoff = int64_t{1} << std::min(sending.word_probes, kLargestProbeBackoff);
  at = is_early ? earliest : now + only.handshake_rto * backoff;
  if (is_early) return;
  if (++sending.word_probes > kMostProbesWithoutWord)
    return reset_subflow(only, wire::ResetReason::kMiddleboxInterference);
  probe_for_word(only);
}

/// Its answer has options, or has none.
void Connection::Impl::probe_for_word(MptcpSubflow& only) {
  ++only.probes_without_word;
  only.bare_in_a_row = 0;
  only.send_probe();
  is_another_round_due = true;
}

/// Data were acknowledged, and that the peer is no plain TCP has yet to be shown.
bool Connection::Impl::is_in_doubt(const MptcpSubflow& only) const {
  return only.bare_in_a_row > 0 && !sending.has_data_ack_come &&
         only.snd_una() > StreamOffset(1) + only.tx_unmapped;
}

/// Nothing but bare segments comes: then this is plain TCP, unless that could be told wrong.
bool Connection::Impl::becomes_plain_like_peer(MptcpSubflow& only) {
  const uint32_t enough = sending.has_data_ack_come ? kProbesWithoutWord : 0;
  if (only.bare_in_a_row == 0 || only.probes_without_word < enough) return false;
  if (!is_linear(only, only.rcv_nxt())) return false;
  become_plain(only, FallbackReason::kDataAckMissing, only.rcv_nxt());
  return true;
}

/// Plain TCP from `received_to` on. What a checksum holds back until its mapping is whole is the stream's
/// now.
void Connection::Impl::become_plain(MptcpSubflow& subflow, FallbackReason reason, StreamOffset received_to) {
  Ring<Slice> held = std::move(subflow.held.slices);
  subflow.held.slices = {};
  DataOffset position = receiving.data.data_rcv_nxt();
  receiving.linear_data = position + subflow.held.received_bytes;
  receiving.linear_stream = received_to;
  fall_back_in_mid_stream(subflow, reason);
  is_settling_due = true;
  if (held.empty()) return;
  while (!held.empty()) {
    Slice slice = held.pop_front();
    const size_t size = slice.size();
    deliver(subflow, position, std::move(slice));
    position += size;
  }
  on_delivered();
}

/// We are plain TCP, of our own accord, and this peer still writes mappings: it is told, and until it knows
/// its window goes by DATA_ACKs. A mapping only: ACKs that answer ACKs would never end.
void Connection::Impl::tell_unaware_peer(MptcpSubflow& subflow, const wire::TcpSegment& segment) {
  const FallbackReason why = negotiation.fallback;
  const bool was_ours = why == FallbackReason::kDataAckMissing ||
                        why == FallbackReason::kDataWithoutMapping ||
                        why == FallbackReason::kThirdAckStripped;
  const auto* dss = wire::find<wire::Dss>(segment.options.mptcp);
  if (!was_ours || !negotiation.has_remote_key || dss == nullptr || !dss->mapping.has_value() ||
      dss->mapping->data_length == 0 || wire::find<wire::MpFail>(segment.options.mptcp) != nullptr)
    return;
  receiving.awaits_infinite_map = true;
  subflow.fail_due = negotiation.remote.idsn + receiving.data.data_rcv_nxt().value();
  subflow.fails_left = std::max<uint8_t>(subflow.fails_left, 1);
  ask_for_ack(subflow);
}

}  // namespace braid::mptcp
