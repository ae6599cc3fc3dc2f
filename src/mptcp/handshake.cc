// MP_CAPABLE (RFC 8684, 3.1) and the ways back to plain TCP (3.7).
#include <algorithm>

#include "mptcp/connection_impl.h"

namespace braid::mptcp {

void Connection::Impl::connect(const wire::FourTuple& tuple) {
  local = tuple.local;
  remote = tuple.remote;
  MptcpSubflow* subflow = add_subflow(tuple, label_of_initial());
  if (subflow == nullptr) return fail(ConnectionError::kAborted);
  subflow->is_initial = subflow->was_opened_by_us = true;
  if (config.is_multipath) {
    negotiation.local = env.register_key(self);
    negotiation.has_local_key = true;
  } else {
    fall_back(FallbackReason::kDisabled);
  }
  counters().add(Counter::kTcpActiveOpens);
  subflow->connect(now);
  start_race();
}

void Connection::Impl::accept(const wire::TcpSegment& syn) {
  negotiation.is_server = true;
  local = syn.tuple.local;
  remote = syn.tuple.remote;
  MptcpSubflow* subflow = add_subflow(syn.tuple, label_of(syn));
  if (subflow == nullptr) return fail(ConnectionError::kAborted);
  subflow->is_initial = true;
  if (const auto reason = judge_syn(syn.options)) {
    fall_back(*reason);
  } else {
    const auto* capable = wire::find<wire::MpCapable>(syn.options.mptcp);
    counters().add(Counter::kMpCapableSynRx);
    negotiation.is_checksummed = capable->checksum_required || config.require_checksum;
    negotiation.may_join_initial = !capable->deny_join_initial;
    negotiation.local = env.register_key(self);
    negotiation.has_local_key = true;
  }
  counters().add(Counter::kTcpPassiveOpens);
  subflow->accept(syn, now);
}

/// Why the peer's offer leads to plain TCP; nothing if it is a good one.
std::optional<FallbackReason> Connection::Impl::judge_syn(const wire::TcpOptions& options) const {
  if (!config.is_multipath) return FallbackReason::kDisabled;
  const auto* capable = wire::find<wire::MpCapable>(options.mptcp);
  if (capable == nullptr) return FallbackReason::kPeerNotCapable;
  // With RFC 2385's 18 octets there is no room for a DSS beside the timestamps.
  if (options.has_md5_signature) return FallbackReason::kMd5Signature;
  // A newer version is answered with ours, and the peer decides; version 0 knows only itself.
  if (capable->version < 1) return FallbackReason::kVersionMismatch;
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
  if (negotiation.state == MultipathState::kNegotiating && !negotiation.is_server)
    on_syn_ack(segment, window);
  return tcp::SegmentVerdict::kAccept;
}

void Connection::Impl::on_syn_ack(const wire::TcpSegment& segment, uint64_t window) {
  const auto* capable = wire::find<wire::MpCapable>(segment.options.mptcp);
  if (capable == nullptr) {
    counters().add(Counter::kMpCapableFallbackSynAck);
    return fall_back(negotiation.went_plain ? FallbackReason::kSynOptionDropped
                                            : FallbackReason::kPeerNotCapable);
  }
  if (segment.options.has_md5_signature) return fall_back(FallbackReason::kMd5Signature);
  if (capable->version != 1) return fall_back(FallbackReason::kVersionMismatch);
  if (capable->extensibility) return fall_back(FallbackReason::kExtensibility);
  if (!capable->hmac_sha256) return fall_back(FallbackReason::kNoCommonHmac);
  // Without a key, or to a SYN that had none, this is no answer of an MPTCP host.
  if (!capable->sender_key.has_value() || !negotiation.was_offered)
    return fall_back(FallbackReason::kPeerNotCapable);
  counters().add(Counter::kMpCapableSynAckRx);
  negotiation.remote = derive(*capable->sender_key);
  negotiation.is_checksummed = capable->checksum_required || config.require_checksum;
  negotiation.may_join_initial = !capable->deny_join_initial;
  negotiation.state = MultipathState::kConfirmed;
  sending.window_edge = DataOffset(1) + window;
}

/// The server's first segment after the SYN: both keys, with or without data, or this is plain TCP.
tcp::SegmentVerdict Connection::Impl::on_third_ack(MptcpSubflow& subflow, const wire::TcpSegment& segment,
                                                   uint64_t window) {
  const auto* capable = wire::find<wire::MpCapable>(segment.options.mptcp);
  if (capable == nullptr) {
    // A DSS proves an MPTCP peer whose keys were lost or come later: it repeats them.
    if (!segment.options.mptcp.empty() || segment.options.malformed_mptcp > 0)
      return tcp::SegmentVerdict::kDrop;
    counters().add(Counter::kMpCapableFallbackAck);
    fall_back(FallbackReason::kThirdAckStripped);
    return tcp::SegmentVerdict::kAccept;
  }
  if (capable->version != 1 || !capable->sender_key.has_value() ||
      capable->receiver_key != negotiation.local.key) {
    fall_back(FallbackReason::kThirdAckStripped);
    return tcp::SegmentVerdict::kAccept;
  }
  counters().add(Counter::kMpCapableAckRx);
  negotiation.remote = derive(*capable->sender_key);
  sending.window_edge = DataOffset(1) + window;
  tcp::SegmentVerdict verdict = tcp::SegmentVerdict::kAccept;
  // The path manager begins in on_established(): the subflow is not there yet.
  negotiation.state = MultipathState::kConfirmed;
  if (capable->data_length.has_value()) verdict = on_option(subflow, *capable, segment, window);
  return verdict;
}

/// A segment without any MPTCP option where there should be one.
tcp::SegmentVerdict Connection::Impl::on_bare_segment(MptcpSubflow& subflow,
                                                      const wire::TcpSegment& segment) {
  if (!subflow.is_initial || !is_only_subflow(subflow)) return tcp::SegmentVerdict::kAccept;
  // One that acknowledged nothing yet counts too: it shows that the options come through. An ADD_ADDR that
  // was taken off its ACK leaves a bare one behind.
  const bool has_data_ack_come = sending.has_data_ack_come || closing.is_fin_acked;
  const bool acknowledges_data =
      unwrap(segment.ack, subflow.initial_send_seq(), subflow.snd_una()) > StreamOffset(1) &&
      subflow.snd_nxt() > StreamOffset(1);
  // Both before MPTCP has delivered anything (RFC 8684, 3.7).
  if (acknowledges_data && !has_data_ack_come && can_fall_back_in_mid_stream(subflow) &&
      receiving.data.data_rcv_nxt().value() == subflow.rcv_nxt().value()) {
    // The peer may have seen our mapping: it is told that there will be no others. A proxy that was faster
    // than the peer's DATA_ACK costs multipath here; to wait could give a peer that reads plain TCP data
    // twice.
    fall_back_in_mid_stream(subflow, FallbackReason::kDataAckMissing);
  } else if (segment.flags.fin && segment.payload.empty() && !subflow.has_seen_mapping &&
             !has_data_ack_come && subflow.rcv_nxt() == StreamOffset(1)) {
    fall_back(FallbackReason::kDataWithoutMapping);
  }
  return tcp::SegmentVerdict::kAccept;
}

/// Fully established: each side knows that the other has the keys.
void Connection::Impl::establish() {
  if (negotiation.state != MultipathState::kConfirmed) return;
  negotiation.state = MultipathState::kEstablished;
  counters().add(Counter::kCurrEstab);
  if (is_logged()) log({.kind = Decision::Kind::kMultipath});
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
  if (is_logged()) log({.kind = Decision::Kind::kFellBack, .why = to_string(reason)});
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
  return subflow.tx.empty() ? is_everything_acked()
                            : subflow.tx[subflow.tx.size() - 1].data_end() == sending.next;
}

void Connection::Impl::fall_back_in_mid_stream(MptcpSubflow& subflow, FallbackReason reason) {
  // The line of the infinite mapping; it acts back to the last octet known to be intact (RFC 8684, 3.7).
  if (!subflow.tx.empty())
    sending.infinite_map = {subflow.tx[0].data_begin, subflow.tx[0].stream_begin, {}};
  else
    sending.infinite_map = {sending.next, subflow.snd_end(), {}};
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
  if (!subflow.is_initial) {
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
    log({.kind = Decision::Kind::kOpened, .why = negotiation.is_server ? "by the peer" : "by us"}, subflow);
  most_subflows = 1;
  raise(negotiation.is_server ? ConnectionEvent::kAcceptable : ConnectionEvent::kEstablished);
  raise(ConnectionEvent::kWritable);
  if (negotiation.is_server) establish();
}

}  // namespace braid::mptcp
