// MP_CAPABLE (RFC 8684, 3.1) and the ways back to plain TCP (3.7).
#include <algorithm>

#include "mptcp/connection_impl.h"
#include "mptcp/offer.h"
#include "wire/summary.h"

namespace braid::mptcp {

namespace {

Counter counter_of(FallbackReason reason) {
  switch (reason) {
    case FallbackReason::kNone:
    case FallbackReason::kDisabled:
      break;
    case FallbackReason::kPeerNotCapable:
      return Counter::kBraidFallbackPeerNotCapable;
    case FallbackReason::kVersionMismatch:
      return Counter::kBraidFallbackVersionMismatch;
    case FallbackReason::kNoCommonHmac:
      return Counter::kBraidFallbackNoCommonHmac;
    case FallbackReason::kExtensibility:
      return Counter::kBraidFallbackExtensibility;
    case FallbackReason::kSynOptionDropped:
      return Counter::kBraidFallbackSynOptionDropped;
    case FallbackReason::kThirdAckStripped:
      return Counter::kBraidFallbackThirdAckStripped;
    case FallbackReason::kDataWithoutMapping:
      return Counter::kBraidFallbackDataWithoutMapping;
    case FallbackReason::kChecksumFailed:
      return Counter::kBraidFallbackChecksumFailed;
    case FallbackReason::kPeerSentMpFail:
      return Counter::kBraidFallbackPeerSentMpFail;
    case FallbackReason::kPeerInfiniteMapping:
      return Counter::kBraidFallbackPeerInfiniteMapping;
    case FallbackReason::kMd5Signature:
      return Counter::kBraidFallbackMd5Signature;
    case FallbackReason::kSimultaneousOpen:
      return Counter::kBraidFallbackSimultaneousOpen;
    case FallbackReason::kDataAckMissing:
      return Counter::kBraidFallbackDataAckMissing;
    case FallbackReason::kSynOptionDroppedBefore:
      return Counter::kBraidFallbackSynOptionDroppedBefore;
  }
  return Counter::kBraidFallbackDisabled;
}

}  // namespace

void Connection::Impl::connect(const wire::FourTuple& tuple) {
  local = tuple.local;
  remote = tuple.remote;
  MptcpSubflow* subflow = add_subflow(tuple, label_of_initial());
  if (subflow == nullptr) return fail(ConnectionError::kAborted);
  subflow->is_initial = subflow->was_opened_by_us = true;
  config.is_multipath ? offer() : fall_back(FallbackReason::kDisabled);
  counters().add(Counter::kTcpActiveOpens);
  plan_fast_open();
  if (!fast_open.is_syn_deferred) start_connecting();
}

/// Multipath TCP, as far as earlier connections to that destination recommend it.
void Connection::Impl::offer() {
  negotiation.version = config.highest_version;
  negotiation.offers = config.syn_attempts_with_multipath;
  if (PeerMemory* memory = env.peer_memory()) {
    const PeerMemory::Advice advice = memory->advice(remote, now);
    if (!advice.may_offer) {
      counters().add(Counter::kMpCapableSynTxDisabled);
      return fall_back(FallbackReason::kSynOptionDroppedBefore);
    }
    negotiation.offers = std::min(negotiation.offers, advice.attempts);
    negotiation.version = std::max(config.lowest_version, std::min(negotiation.version, advice.version));
  }
  negotiation.local = env.register_key(self, negotiation.version);
  negotiation.has_local_key = true;
}

void Connection::Impl::accept(const wire::TcpSegment& syn, SynOrigin origin, const FastOpenAnswer& answer) {
  negotiation.is_server = true;
  local = syn.tuple.local;
  remote = syn.tuple.remote;
  MptcpSubflow* subflow = add_subflow(syn.tuple, label_of(syn));
  if (subflow == nullptr) return fail(ConnectionError::kAborted);
  subflow->is_initial = true;
  if (const auto reason = reason_to_decline(config, syn.options)) {
    fall_back(*reason);
  } else {
    const auto* capable = wire::find<wire::MpCapable>(syn.options.mptcp);
    counters().add(Counter::kMpCapableSynRx);
    negotiation.is_checksummed = capable->checksum_required || config.require_checksum;
    negotiation.version = std::min(config.highest_version, static_cast<Version>(capable->version));
    negotiation.may_join_initial = negotiation.version == Version::kV0 || !capable->deny_join_initial;
    negotiation.local = env.register_key(self, negotiation.version);
    negotiation.has_local_key = true;
    if (capable->sender_key.has_value()) set_remote_key(*subflow, *capable->sender_key);
  }
  counters().add(Counter::kTcpPassiveOpens);
  if (origin == SynOrigin::kWire) {
    fast_open.cookie = answer.cookie;
    subflow->accept(syn, now, answer.text);
    if (subflow->syn_text_bytes() > 0) on_fast_opened(syn);
    return;
  }
  receiving.buffer.on_advertised();  // by who answered
  subflow->accept_answered(syn, now);
}

std::optional<FallbackReason> reason_to_decline(const ConnectionConfig& config,
                                                const wire::TcpOptions& options) {
  if (!config.is_multipath) return FallbackReason::kDisabled;
  const auto* capable = wire::find<wire::MpCapable>(options.mptcp);
  if (capable == nullptr) return FallbackReason::kPeerNotCapable;
  // With RFC 2385's 18 octets there is no room for a DSS beside the timestamps.
  if (options.has_md5_signature) return FallbackReason::kMd5Signature;
  // A newer version is answered with ours, and the peer decides.
  if (capable->version < static_cast<uint8_t>(config.lowest_version)) return FallbackReason::kVersionMismatch;
  if (capable->extensibility) return FallbackReason::kExtensibility;
  if (!capable->hmac_sha256) return FallbackReason::kNoCommonHmac;
  return std::nullopt;
}

tcp::SegmentVerdict Connection::Impl::on_syn(MptcpSubflow& subflow, const wire::TcpSegment& segment,
                                             uint64_t window) {
  if (!segment.flags.ack) {
    // A passive open's SYN was judged by accept() or on_join(); one that crosses ours is a simultaneous open.
    if (subflow.is_initial && !negotiation.is_server && negotiation.state == MultipathState::kNegotiating)
      fall_back(FallbackReason::kSimultaneousOpen);
    return tcp::SegmentVerdict::kAccept;
  }
  if (!subflow.is_initial) return on_join_syn_ack(subflow, segment);
  win_race(subflow);
  if (!negotiation.is_server) on_fast_open_answer(subflow, segment);
  if (negotiation.state == MultipathState::kNegotiating && !negotiation.is_server) {
    on_syn_ack(segment, window + subflow.tx_unmapped);
    negotiation.local.idsn -= subflow.tx_unmapped;
  }
  settle_syn_data(subflow);
  return tcp::SegmentVerdict::kAccept;
}

void Connection::Impl::on_syn_ack(const wire::TcpSegment& segment, uint64_t window) {
  PeerMemory* memory = env.peer_memory();
  if (const auto reason = judge_syn_ack(segment.options)) {
    if (wire::find<wire::MpCapable>(segment.options.mptcp) == nullptr)
      counters().add(Counter::kMpCapableFallbackSynAck);
    if (memory != nullptr) {
      if (*reason == FallbackReason::kSynOptionDropped) {
        counters().add(Counter::kBlackhole);
        memory->on_syn_dropped(remote, now);
      } else if (negotiation.was_offered) {
        memory->on_plain(remote);
      }
    }
    return fall_back(*reason);
  }
  const auto* capable = wire::find<wire::MpCapable>(segment.options.mptcp);
  counters().add(Counter::kMpCapableSynAckRx);
  if (const auto answered = static_cast<Version>(capable->version); answered != negotiation.version) {
    // An older one: its token is another hash. The key was not in the SYN, so there may be a new one.
    env.release_token(negotiation.local.token);
    negotiation.version = answered;
    negotiation.local = env.register_key(self, answered);
  }
  if (memory != nullptr) memory->on_multipath(remote, negotiation.version, now);
  negotiation.remote = derive(*capable->sender_key, negotiation.version);
  negotiation.has_remote_key = true;
  negotiation.is_checksummed = capable->checksum_required || config.require_checksum;
  negotiation.may_join_initial = negotiation.version == Version::kV0 || !capable->deny_join_initial;
  negotiation.state = MultipathState::kConfirmed;
  sending.window_edge = DataOffset(1) + window;
}

/// Why the answer to our offer leads to plain TCP; nothing if it is a good one.
std::optional<FallbackReason> Connection::Impl::judge_syn_ack(const wire::TcpOptions& options) const {
  const auto* capable = wire::find<wire::MpCapable>(options.mptcp);
  if (capable == nullptr)
    return negotiation.went_plain ? FallbackReason::kSynOptionDropped : FallbackReason::kPeerNotCapable;
  if (options.has_md5_signature) return FallbackReason::kMd5Signature;
  const auto offered = static_cast<uint8_t>(negotiation.version);
  if (capable->version > offered || capable->version < static_cast<uint8_t>(config.lowest_version))
    return FallbackReason::kVersionMismatch;
  if (capable->extensibility) return FallbackReason::kExtensibility;
  if (!capable->hmac_sha256) return FallbackReason::kNoCommonHmac;
  // Without a key, or to a SYN that had none, this is no answer of an MPTCP host.
  if (!capable->sender_key.has_value() || !negotiation.was_offered) return FallbackReason::kPeerNotCapable;
  return std::nullopt;
}

bool Connection::Impl::are_keys_right(const wire::MpCapable& capable) const {
  return capable.version == static_cast<uint8_t>(negotiation.version) && capable.sender_key.has_value() &&
         capable.receiver_key == negotiation.local.key &&
         (!negotiation.has_remote_key || capable.sender_key == negotiation.remote.key);
}

/// The server's first segment after the SYN: both keys, with or without data, or this is plain TCP.
tcp::SegmentVerdict Connection::Impl::on_third_ack(MptcpSubflow& subflow, const wire::TcpSegment& segment,
                                                   uint64_t window) {
  const auto* capable = wire::find<wire::MpCapable>(segment.options.mptcp);
  if (capable == nullptr && (!segment.options.mptcp.empty() || segment.options.malformed_mptcp > 0)) {
    // An MPTCP peer whose keys were lost or come later: it repeats them, unless its key is known already and
    // it need not (version 0).
    if (!negotiation.has_remote_key) return tcp::SegmentVerdict::kDrop;
  } else if (capable == nullptr || !are_keys_right(*capable)) {
    if (capable == nullptr) counters().add(Counter::kMpCapableFallbackAck);
    fall_back(FallbackReason::kThirdAckStripped);
    return tcp::SegmentVerdict::kAccept;
  } else {
    counters().add(Counter::kMpCapableAckRx);
    set_remote_key(subflow, *capable->sender_key);
  }
  sending.window_edge = std::max(sending.window_edge, sending.buffer.data_una() + window);
  if (!is_everything_acked()) timer(ConnectionTimer::kDataRetransmit) = now + data_rto();
  // The path manager begins in on_established(): the subflow is not there yet.
  negotiation.state = MultipathState::kConfirmed;
  return on_options(subflow, segment, window);
}

/// Fully established: each side knows that the other has the keys.
void Connection::Impl::establish() {
  if (negotiation.state != MultipathState::kConfirmed) return;
  negotiation.state = MultipathState::kEstablished;
  counters().add(Counter::kCurrEstab);
  if (is_logged()) log({.kind = Decision::Kind::kMultipath});
  if (is_logged() && !negotiation.may_join_initial) log({.kind = Decision::Kind::kJoinsDenied});
  MptcpSubflow* first = initial();
  if (first == nullptr || first->is_closed || closing.are_subflows_closing) return;
  path_manager = make_path_manager(config.path_manager, env.path_config(), self, config.labels);
  if (path_manager == nullptr) path_manager = make_path_manager("none", env.path_config(), self);
  start_open_paths();
  path_manager->on_established(path_of(*first), negotiation.is_server, negotiation.may_join_initial, now);
}

/// Plain TCP from the first octet on.
void Connection::Impl::fall_back(FallbackReason reason) {
  if (negotiation.is_fallback()) return;
  if (negotiation.state == MultipathState::kEstablished) counters().subtract(Counter::kCurrEstab);
  negotiation.state = MultipathState::kFallback;
  negotiation.fallback = reason;
  counters().add(counter_of(reason));
  // A peer that has no Multipath TCP is the usual case, and explains itself.
  if (current != nullptr && (is_logged() || reason != FallbackReason::kPeerNotCapable))
    negotiation.fallback_packet = wire::summary(*current);
  else if (reason == FallbackReason::kDataAckMissing)
    negotiation.fallback_packet = std::move(negotiation.bare_packet);
  if (is_logged())
    log({.kind = Decision::Kind::kFellBack, .why = to_string(reason), .packet = negotiation.fallback_packet});
  if (negotiation.has_local_key) env.release_token(negotiation.local.token);
  negotiation.has_local_key = false;
  // The subflow's own window says it all.
  sending.window_edge = DataOffset(UINT64_MAX / 2);
  timer(ConnectionTimer::kPersist) = timer(ConnectionTimer::kDataRetransmit) = kNever;
  timer(ConnectionTimer::kDataFin) = kNever;
  is_another_round_due = true;
}

/// An infinite mapping from here on needs one subflow, and that what it carries be contiguous.
bool Connection::Impl::can_fall_back_in_mid_stream(const MptcpSubflow& subflow) const {
  if (!is_only_subflow(subflow)) return false;
  for (size_t i = 0; i + 1 < subflow.tx.size(); ++i) {
    if (subflow.tx[i].data_end() != subflow.tx[i + 1].data_begin) return false;
  }
  // Its last map is the newest data, so nothing was left on a subflow that is gone.
  if (!subflow.tx.empty()) return subflow.tx[subflow.tx.size() - 1].data_end() == sending.next;
  // What an only subflow acknowledged is delivered, also where a proxy was faster than the DATA_ACK.
  const bool has_carried_all = subflow.is_initial && !had_siblings && !sending.has_repeated;
  return has_carried_all || is_everything_acked();
}

void Connection::Impl::fall_back_in_mid_stream(MptcpSubflow& subflow, FallbackReason reason) {
  // The line of the infinite mapping; it acts back to the last octet known to be intact (RFC 8684, 3.7).
  const DataOffset una = sending.buffer.data_una();
  if (!subflow.tx.empty())
    sending.infinite_map = {subflow.tx[0].data_begin, subflow.tx[0].stream_begin, {}, {}};
  else if (subflow.is_initial && !had_siblings && !sending.has_repeated)
    sending.infinite_map = {una, StreamOffset(una.value()), {}, {}};
  else
    sending.infinite_map = {sending.next, subflow.snd_end(), {}, {}};
  // A peer that sent MP_FAIL reads mappings until the infinite one comes, on the first new data (RFC
  // 8684, 3.7).
  if (reason == FallbackReason::kPeerSentMpFail) sending.infinite_map->from = subflow.snd_end();
  sending.reinjections.clear();
  subflow.held.clear();
  // Joins that were under way come to nothing.
  for (const auto& other : subflows) {
    if (other.get() == &subflow || other->is_closed) continue;
    other->is_close_due = is_settling_due = true;
  }
  path_manager.reset();
  fall_back(reason);
  // From now on what the subflow acknowledges is delivered.
  on_acked(subflow, subflow.snd_una());
}

void Connection::Impl::on_established(MptcpSubflow& subflow) {
  counters().add(Counter::kTcpCurrEstab);
  subflow.handshake_rto = subflow.recovery().rtt().rto();
  if (!subflow.is_initial) {
    may_have_siblings = true;
    subflow.recovery().congestion_control().on_established(now);
    if (subflow.join == JoinState::kSynReceived) return on_join_up(subflow);
    subflow.join = JoinState::kAckSent;
    subflow.join_ack_interval = std::max<Duration>(subflow.recovery().rtt().rto(), config.subflow.rto.min);
    subflow.join_ack_at = now + subflow.join_ack_interval;
    return;
  }
  was_established = true;
  subflow.was_up = true;
  if (is_logged())
    log({.kind = Decision::Kind::kOpened,
         .why = negotiation.is_server ? "by the peer" : "by us",
         .amount = subflow.syn_text_bytes()},
        subflow);
  most_subflows = 1;
  raise(negotiation.is_server ? ConnectionEvent::kAcceptable : ConnectionEvent::kEstablished);
  raise(ConnectionEvent::kWritable);
  if (negotiation.is_server) return establish();
  // In version 0 the keys do not fit beside data: the third ACK goes by itself, and first.
  if (negotiation.is_multipath() && negotiation.version == Version::kV0) {
    negotiation.is_third_ack_due = true;
    ask_for_bare_ack(subflow);
  }
}

}  // namespace braid::mptcp
