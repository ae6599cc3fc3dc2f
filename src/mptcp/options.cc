// Which MPTCP options go on a segment (RFC 8684; the room of 40 octets is shared with TCP's own).
#include <algorithm>

#include "mptcp/connection_impl.h"
#include "mptcp/dss_checksum.h"

namespace braid::mptcp {

namespace {

// A DSS with a DATA_ACK of 64 bits and nothing else.
constexpr size_t kWideDataAckSize = 12;
// A lost first DATA_ACK is sent again when the peer repeats its data, after the initial RTO at the latest.
constexpr Duration kLongestProof = 1s;
// Version 0 has no echo: an ADD_ADDR is repeated so often.
constexpr uint32_t kAnnouncementsWithoutEcho = 3;

/// Adds options while they fit; each is counted with its padding to four octets, so the sum is never short.
class Fitter {
 public:
  Fitter(wire::TcpOptions& options, size_t space) : options_(options), space_(space) {}
  size_t space() const { return space_ & ~size_t{3}; }
  bool drop_timestamps() {
    if (!options_.timestamps.has_value()) return false;
    options_.timestamps.reset();
    space_ += 12;
    return true;
  }
  bool put_fast_open(const wire::FastOpenCookie& cookie) {
    const size_t size = (2u + cookie.size + 3) & ~size_t{3};
    if (size > space_) return false;
    space_ -= size;
    options_.fast_open = cookie;
    return true;
  }
  bool put(const wire::MptcpOption& option) {
    const size_t size = (wire::encoded_size(option) + 3) & ~size_t{3};
    if (size > space_ || options_.mptcp.size() == options_.mptcp.capacity()) return false;
    space_ -= size;
    options_.mptcp.push_back(option);
    return true;
  }

 private:
  wire::TcpOptions& options_;
  size_t space_;
};

wire::WideOrNarrow sequence(uint64_t value, bool is_wide) {
  return {.value = is_wide ? value : static_cast<uint32_t>(value), .is_wide = is_wide};
}

/// One call's worth of context.
struct Writer {
  Connection::Impl& connection;
  MptcpSubflow& subflow;
  Fitter& fitter;

  wire::WideOrNarrow data_ack(bool is_wide) const {
    return sequence(connection.negotiation.remote.idsn + connection.data_ack().value(), is_wide);
  }
  uint64_t local_dsn(DataOffset offset) const { return connection.negotiation.local.idsn + offset.value(); }

  wire::MpCapable capable() const {
    wire::MpCapable capable;
    capable.version = static_cast<uint8_t>(connection.negotiation.version);
    capable.checksum_required = connection.negotiation.is_checksummed;
    capable.deny_join_initial = connection.config.deny_join_initial && !is_v0();
    return capable;
  }
  wire::MpCapable keys() const {
    wire::MpCapable capable = this->capable();
    capable.sender_key = connection.negotiation.local.key;
    capable.receiver_key = connection.negotiation.remote.key;
    return capable;
  }
  bool is_v0() const { return connection.negotiation.version == Version::kV0; }

  void syn_cookie(const tcp::SegmentContext& context);
  void syn(const tcp::SegmentContext& context);
  void syn_ack(const tcp::SegmentContext& context);
  void ack();
  void failure();
  void data(const tcp::SegmentContext& context);
  void infinite_map(const tcp::SegmentContext& context);
  void fastclose();
  wire::DssMapping mapping_of(const DataMap& map, bool is_wide) const;
  void reset();
  bool announcement(size_t reserved);
  bool data_fin();
};

/// After MP_CAPABLE, where there is room left (RFC 8684, B.1).
void Writer::syn_cookie(const tcp::SegmentContext& context) {
  const auto option = connection.fast_open_option(subflow, context.attempt);
  if (!option.has_value() || !fitter.put_fast_open(*option)) return;
  connection.fast_open.was_option_sent = true;
  connection.fast_open.has_cookie_gone = !option->is_request();
}

void Writer::syn(const tcp::SegmentContext& context) {
  Negotiation& negotiation = connection.negotiation;
  connection.fast_open.has_timed_out |= subflow.is_initial && context.attempt > 0;
  if (!subflow.is_initial) {
    fitter.put(wire::MpJoinSyn{.backup = subflow.is_backup_for_us,
                               .address_id = subflow.local_id,
                               .receiver_token = negotiation.remote.token,
                               .sender_nonce = subflow.local_nonce});
    return;
  }
  if (negotiation.state != MultipathState::kNegotiating) return;
  wire::MpCapable capable = this->capable();
  capable.checksum_required = connection.config.require_checksum;
  if (is_v0()) capable.sender_key = negotiation.local.key;
  // A network that drops SYNs with unknown options must not cost the connection (NSDI 2012, 3.1).
  if (context.attempt >= negotiation.offers || !fitter.put(capable)) {
    if (!negotiation.went_plain) connection.counters().add(Counter::kMpCapableSynTxDrop);
    negotiation.went_plain = true;
    return;
  }
  negotiation.was_offered = true;
  connection.counters().add(Counter::kMpCapableSynTx);
}

void Writer::syn_ack(const tcp::SegmentContext& context) {
  Negotiation& negotiation = connection.negotiation;
  if (subflow.is_initial) {
    if (negotiation.state != MultipathState::kNegotiating) return;
    // As with the SYN: a network may drop what carries an option that it does not know.
    if (context.attempt >= connection.config.syn_attempts_with_multipath) {
      negotiation.went_plain = true;
      return;
    }
    wire::MpCapable capable = this->capable();
    capable.sender_key = negotiation.local.key;
    fitter.put(capable);
    return;
  }
  const auto hmac = join_hmac(negotiation.local.key, negotiation.remote.key, subflow.local_nonce,
                              subflow.remote_nonce, negotiation.version);
  fitter.put(wire::MpJoinSynAck{.backup = subflow.is_backup_for_us,
                                .address_id = subflow.local_id,
                                .truncated_hmac = truncate64(hmac),
                                .sender_nonce = subflow.local_nonce});
}

void Writer::fastclose() {
  if (fitter.put(wire::MpFastclose{connection.negotiation.remote.key}))
    connection.counters().add(Counter::kMpFastcloseTx);
}

void Writer::reset() {
  if (subflow.is_fastclose) {
    if (!is_v0()) fastclose();
  } else if (subflow.reset_reason.has_value()) {
    if (subflow.fail_due.has_value() && fitter.put(wire::MpFail{*subflow.fail_due})) {
      connection.counters().add(Counter::kMpFailTx);
      subflow.fail_due.reset();
    }
    if (!is_v0() && fitter.put(wire::MpTcpRst{.reason = *subflow.reset_reason}))
      connection.counters().add(Counter::kMpRstTx);
  }
}

/// ADD_ADDR, its echo or REMOVE_ADDR. An IPv6 address with HMAC leaves no room for a DSS beside timestamps,
/// and with a port none for those either: such an ACK goes without (TCP takes it as it takes one whose
/// options were stripped).
bool Writer::announcement(size_t reserved) {
  const auto next = [&] {
    const size_t space = fitter.space() - std::min(fitter.space(), reserved);
    return connection.announcements.poll(
        space, connection.now, connection.config.add_addr_interval,
        is_v0() ? kAnnouncementsWithoutEcho : connection.config.add_addr_attempts);
  };
  auto option = next();
  if (!option.has_value() && reserved == 0 && fitter.drop_timestamps()) option = next();
  if (!option.has_value()) return false;
  if (auto* address = std::get_if<wire::AddAddr>(&*option)) {
    if (!address->is_echo && !is_v0()) {
      address->truncated_hmac =
          add_addr_hmac(connection.negotiation.local.key, connection.negotiation.remote.key,
                        address->address_id, address->address, address->port.value_or(0));
    }
    connection.counters().add(address->is_echo ? Counter::kEchoAddTx : Counter::kAddAddrTx);
  } else {
    connection.counters().add(Counter::kRmAddrTx);
  }
  return fitter.put(*option);
}

/// DATA_FIN by itself: data_length 1, no subflow sequence number (RFC 8684, 3.3.3).
bool Writer::data_fin() {
  const uint64_t dsn = local_dsn(connection.sending.buffer.end());
  wire::Dss dss;
  dss.data_ack = data_ack(true);
  dss.data_fin = true;
  wire::DssMapping& mapping = dss.mapping.emplace();
  mapping.data_seq = sequence(dsn, true);
  mapping.data_length = 1;
  if (connection.negotiation.is_checksummed) mapping.checksum = dss_checksum({}, dsn, 0, 1);
  return fitter.put(dss);
}

/// MP_FAIL that led to plain TCP, on some segments: one may be lost.
void Writer::failure() {
  if (!subflow.fail_due.has_value() || !fitter.put(wire::MpFail{*subflow.fail_due})) return;
  connection.counters().add(Counter::kMpFailTx);
  if (--subflow.fails_left == 0) subflow.fail_due.reset();
}

void Writer::ack() {
  Negotiation& negotiation = connection.negotiation;
  // Data that a SYN had no room for have waited for it.
  if (std::exchange(negotiation.is_third_ack_due, false)) connection.is_another_round_due = true;
  if (subflow.is_fastclose) return fastclose();
  if (negotiation.is_fallback()) {
    failure();
    // Until the peer has read our MP_FAIL its window is that of the last DATA_ACK, and would close on it.
    if (connection.receiving.awaits_infinite_map) {
      wire::Dss dss;
      dss.data_ack = data_ack(true);
      fitter.put(dss);
    }
    return;
  }
  if (!negotiation.is_multipath()) return;
  if (!subflow.is_joined()) {
    if (subflow.join == JoinState::kAckSent || subflow.join == JoinState::kSynSent)
      fitter.put(wire::MpJoinAck{subflow.join_hmac});
    return;
  }
  // Version 0 has no form of the keys for data: ACKs repeat them until the peer has shown that it knows them.
  const bool is_third_ack = negotiation.state == MultipathState::kConfirmed && !negotiation.is_server &&
                            (subflow.snd_end() == StreamOffset(1) + subflow.tx_unmapped || is_v0());
  // A server that answered the SYN's data at once waits for a DATA_ACK too.
  const bool owes_data_ack = connection.receiving.data.data_rcv_nxt() > DataOffset(1);
  if (is_third_ack && !connection.closing.is_fin_due &&
      !(owes_data_ack && std::exchange(negotiation.have_keys_gone, false))) {
    fitter.put(keys());
    if (owes_data_ack) {
      negotiation.have_keys_gone = true;
      connection.ask_for_bare_ack(subflow);
    }
    return;
  }
  if (connection.closing.is_fin_due && data_fin()) {
    connection.closing.is_fin_due = false;
    if (std::exchange(connection.closing.is_probe_due, false)) connection.probe_for_word(subflow);
    return;
  }
  wire::MpPrio priority;
  priority.backup = subflow.is_backup_for_us;
  if (subflow.is_priority_due && fitter.put(priority)) {
    connection.counters().add(Counter::kMpPrioTx);
    subflow.is_priority_due = false;
  }
  // At the end an announcement would only take the place of the last DATA_ACK, and invite a join to nothing.
  const bool is_ending = connection.closing.is_fin_sent && connection.receiving.is_fin_consumed;
  // The first DATA_ACK comes first, even if it can only say that nothing of a checksummed map is in yet: if a
  // network takes the ADD_ADDR off, the bare ACK that is left would look like one from a peer that reads
  // plain TCP.
  const bool owes_first =
      !connection.receiving.has_sent_data_ack && subflow.rcv_nxt() > StreamOffset(1) + subflow.rx_unmapped;
  if (negotiation.state == MultipathState::kEstablished && !is_ending &&
      connection.announcements.is_due(connection.now)) {
    // Until the peer has shown that it knows of MPTCP (or for a while) what has no room beside a DATA_ACK
    // waits, for the same reason: that first one may have been lost. And at least for a round trip: the bare
    // ACK may overtake it.
    const Receiving& receiving = connection.receiving;
    const Duration proof =
        connection.sending.has_data_ack_come ? subflow.recovery().rtt().srtt() : kLongestProof;
    const bool is_proved =
        receiving.has_sent_data_ack
            ? connection.now >= receiving.first_data_ack_at + std::min<Duration>(proof, kLongestProof)
            : connection.sending.has_data_ack_come;
    const bool was_sent = !owes_first && announcement(is_proved ? 0 : kWideDataAckSize);
    // The next has the next ACK.
    if ((was_sent || owes_first) && connection.announcements.is_due(connection.now))
      connection.ask_for_bare_ack(subflow);
  }
  // Out of order: SACK blocks want room too.
  const bool is_wide = connection.receiving.is_peer_wide && subflow.receive_queue_bytes() == 0;
  wire::Dss dss;
  dss.data_ack = data_ack(is_wide);
  if (fitter.put(dss) && !connection.receiving.has_sent_data_ack) {
    connection.receiving.has_sent_data_ack = true;
    connection.receiving.first_data_ack_at = connection.now;
  }
}

void Writer::infinite_map(const tcp::SegmentContext& context) {
  auto& map = connection.sending.infinite_map;
  if (map->told_by.has_value() && subflow.snd_una() >= *map->told_by) {
    map.reset();
    return;
  }
  wire::Dss dss;
  wire::DssMapping& mapping = dss.mapping.emplace();
  mapping.data_seq = sequence(local_dsn(map->data), true);
  mapping.subflow_seq = subflow.tx_ssn(map->stream);
  if (connection.negotiation.is_checksummed) mapping.checksum = 0;
  if (!fitter.put(dss)) return;
  connection.counters().add(Counter::kInfiniteMapTx);
  if (!map->told_by.has_value()) map->told_by = context.offset + context.payload_bytes;
}

wire::DssMapping Writer::mapping_of(const DataMap& map, bool is_wide) const {
  wire::DssMapping mapping;
  mapping.data_seq = sequence(local_dsn(map.data_begin), is_wide);
  mapping.subflow_seq = subflow.tx_ssn(map.stream_begin);
  mapping.data_length = static_cast<uint16_t>(map.length + (map.has_data_fin ? 1 : 0));
  mapping.checksum = map.checksum;
  return mapping;
}

void Writer::data(const tcp::SegmentContext& context) {
  if (context.payload_bytes == 0 || subflow.is_fastclose) return ack();  // a FIN by itself
  Negotiation& negotiation = connection.negotiation;
  const DataMap* map = subflow.tx.find(context.offset);
  BRAID_CHECK(map != nullptr);
  if (negotiation.is_fallback()) {
    const auto& infinite = connection.sending.infinite_map;
    if (infinite.has_value() && context.offset < infinite->from) {
      wire::Dss dss;
      dss.mapping = mapping_of(*map, true);
      dss.data_fin = map->has_data_fin;
      fitter.put(dss);
    } else if (infinite.has_value()) {
      infinite_map(context);
    }
    return failure();
  }
  if (subflow.is_fast_open_pending()) {
    // Before the third ACK the peer's key, and with it what a DATA_ACK would say, is unknown (erratum 6609).
    wire::Dss dss;
    dss.mapping = mapping_of(*map, true);
    fitter.put(dss);
    return;
  }
  if (!negotiation.is_multipath()) return;
  // Until the peer is known to have the keys they come with the first data (RFC 8684, 3.1).
  if (negotiation.state == MultipathState::kConfirmed && !negotiation.is_server && subflow.is_initial &&
      map->stream_begin == StreamOffset(1) + subflow.tx_unmapped && !map->has_data_fin && !is_v0()) {
    wire::MpCapable capable = keys();
    capable.data_length = mapping_of(*map, true).data_length;
    capable.checksum = map->checksum;
    if (fitter.put(capable)) return;
  }
  // A peer that was offered version 1 has our key from the third ACK alone, and that may be lost.
  const bool is_repeated = context.offset < subflow.snd_nxt();
  if (is_v0() && is_repeated && negotiation.state == MultipathState::kConfirmed && !negotiation.is_server)
    connection.ask_for_bare_ack(subflow);
  wire::Dss dss;
  // With data missing in the other direction a SACK block has to find room on every other segment: then the
  // mapping is narrow, and DATA_ACK waits for the next (14 or 16 octets here, 12 each for the other two).
  const bool wants_sack =
      subflow.receive_queue_bytes() > 0 && std::exchange(subflow.is_sack_next, !subflow.is_sack_next);
  dss.mapping = mapping_of(*map, !wants_sack);
  dss.data_fin = map->has_data_fin;
  if (!wants_sack) dss.data_ack = data_ack(connection.receiving.is_peer_wide);
  if (fitter.put(dss)) return;
  dss.data_ack.reset();
  fitter.put(dss);
}

}  // namespace

void Connection::Impl::add_options(MptcpSubflow& subflow, const tcp::SegmentContext& context,
                                   wire::TcpOptions& options, size_t space) {
  Fitter fitter(options, space);
  Writer writer{*this, subflow, fitter};
  switch (context.kind) {
    case tcp::SegmentKind::kSyn:
      writer.syn(context);
      if (subflow.is_initial) writer.syn_cookie(context);
      return;
    case tcp::SegmentKind::kSynAck:
      writer.syn_ack(context);
      if (!subflow.is_initial) return;
      if (const auto cookie = fast_open_answer(context.attempt, fitter.space()))
        fitter.put_fast_open(*cookie);
      return;
    case tcp::SegmentKind::kRst:
      return writer.reset();
    case tcp::SegmentKind::kAck:
      receiving.buffer.on_advertised();
      return writer.ack();
    case tcp::SegmentKind::kData:
      receiving.buffer.on_advertised();
      return writer.data(context);
  }
}

}  // namespace braid::mptcp
