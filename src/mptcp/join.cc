// MP_JOIN, both roles (RFC 8684, 3.2).
#include <algorithm>

#include "mptcp/connection_impl.h"

namespace braid::mptcp {

bool Connection::Impl::on_join(const wire::TcpSegment& syn, const wire::MpJoinSyn& join,
                               wire::ResetReason& reason, std::string_view& detail) {
  counters().add(Counter::kJoinSynRx);
  if (join.backup) counters().add(Counter::kJoinSynBackupRx);
  reason = wire::ResetReason::kMptcpSpecific;
  detail = "it is closing, or no Multipath TCP connection any more";
  const bool is_open =
      negotiation.state == MultipathState::kEstablished && !closing.is_over && !closing.are_subflows_closing;
  if (!is_open || path_manager == nullptr) return false;
  reason = wire::ResetReason::kAdministrativelyProhibited;
  const auto living =
      std::count_if(subflows.begin(), subflows.end(), [](const auto& s) { return !s->is_closed; });
  // Those on their way count too, which the path manager does not know of yet.
  const int64_t limit = std::min<int64_t>(config.max_subflows, 1 + env.path_config().limits.subflows);
  const bool is_denied = config.deny_join_initial && syn.tuple.local == local;
  if (is_denied || living >= limit || !path_manager->may_accept_join()) {
    counters().add(Counter::kJoinRejected);
    detail = is_denied ? "deny_join_initial: only announced addresses take joins"
                       : "the limit of subflows is reached";
    return false;
  }
  reason = wire::ResetReason::kLackOfResources;
  detail = "that pair of addresses and ports is in use";
  MptcpSubflow* subflow = add_subflow(syn.tuple, label_of(syn));
  if (subflow == nullptr) return false;
  subflow->join = JoinState::kSynReceived;
  subflow->local_id = local_id_of(syn.tuple.local);
  subflow->remote_id = join.address_id;
  subflow->is_backup_for_peer = join.backup;
  subflow->remote_nonce = join.sender_nonce;
  subflow->local_nonce = env.random().next32();
  subflow->join_deadline = now + config.join_timeout;
  subflow->is_backup_for_us = is_backup_endpoint(subflow->local_id);
  // As good as the echo that version 0 does not have.
  if (negotiation.version == Version::kV0) announcements.on_echo(subflow->local_id);
  subflow->accept(syn, now);
  if (is_logged()) log({.kind = Decision::Kind::kSubflowAccepted}, *subflow);
  return true;
}

bool Connection::Impl::is_backup_endpoint(uint8_t id) const {
  return id != 0 && std::ranges::any_of(env.path_config().endpoints, [&](const PathEndpoint& endpoint) {
           return endpoint.id == id && endpoint.is_backup;
         });
}

/// The address ID that the peer knows an address of ours by, or a new one. One that was announced with a port
/// has another at that port.
uint8_t Connection::Impl::local_id_of(const wire::Endpoint& at) const {
  const wire::IpAddress& address = at.address;
  const std::vector<PathEndpoint>& endpoints = env.path_config().endpoints;
  for (const PathEndpoint& endpoint : endpoints) {
    if (endpoint.port != 0 && at == wire::Endpoint{endpoint.address, endpoint.port}) return endpoint.id;
  }
  if (address == local.address && !is_initial_address_withdrawn) return 0;
  for (const PathEndpoint& endpoint : endpoints) {
    if (endpoint.port == 0 && endpoint.address == address) return endpoint.id;
  }
  for (const ProgramAddress& announced : program_addresses) {
    if (announced.address == address) return announced.id;
  }
  for (const auto& subflow : subflows) {
    if (subflow->tuple().local.address == address && subflow->local_id != 0) return subflow->local_id;
  }
  return free_address_id();
}

PathError Connection::Impl::open_subflow(SubflowRequest request) {
  if (negotiation.state != MultipathState::kEstablished || closing.is_over || closing.are_subflows_closing)
    return PathError::kNotMultipath;
  const auto living =
      std::count_if(subflows.begin(), subflows.end(), [](const auto& s) { return !s->is_closed; });
  if (living >= config.max_subflows) return PathError::kNoRoom;
  wire::Endpoint& from = request.local;
  const wire::Endpoint& to = request.remote;
  if (from.address.is_unspecified()) {
    from.address = env.source_for(to.address);
    if (from.address.is_unspecified()) return PathError::kNoRoute;
    // The ID is of the address that the route chose: the peer is to close this path when that address goes.
    request.local_id = local_id_of(from);
    request.is_backup = request.is_backup || is_backup_endpoint(request.local_id);
  }
  if (from.address.family() != to.address.family()) return PathError::kFamilies;
  if (env.mtu_of(from.address) == 0) return PathError::kNotOurAddress;
  if (!env.has_route(from.address, to.address)) return PathError::kNoRoute;
  const bool is_in_use = std::any_of(subflows.begin(), subflows.end(), [&](const auto& s) {
    const wire::FourTuple& tuple = s->tuple();
    return !s->is_closed && tuple.local == from && tuple.remote == to;
  });
  if (is_in_use) return PathError::kInUse;
  // Several subflows of one pair of addresses have ports of their own (ndiffports, label).
  if (from.port == 0) from.port = env.allocate_port(from.address, to);
  if (from.port == 0) return PathError::kNoPort;

  MptcpSubflow* subflow = add_subflow({from, to}, request.label);
  if (subflow == nullptr) return PathError::kInUse;
  subflow->was_opened_by_us = true;
  subflow->join = JoinState::kSynSent;
  subflow->local_id = request.local_id;
  subflow->remote_id = request.remote_id;
  subflow->is_backup_for_us = request.is_backup;
  subflow->local_nonce = env.random().next32();
  subflow->join_deadline = now + config.join_timeout;
  announcements.on_in_use(request.local_id);
  counters().add(Counter::kJoinSynTx);
  subflow->connect(now);
  if (is_logged()) log({.kind = Decision::Kind::kSubflowOpened}, *subflow);
  is_another_round_due = true;
  env.wake(self);
  return PathError::kNone;
}

tcp::SegmentVerdict Connection::Impl::on_join_syn_ack(MptcpSubflow& subflow,
                                                      const wire::TcpSegment& segment) {
  // Repeated: our third ACK was lost, and goes again with the ACK that TCP answers with.
  if (subflow.join != JoinState::kSynSent) return tcp::SegmentVerdict::kAccept;
  const auto* join = wire::find<wire::MpJoinSynAck>(segment.options.mptcp);
  if (join == nullptr) {
    subflow.reset_reason = wire::ResetReason::kMptcpSpecific;
    return tcp::SegmentVerdict::kReset;
  }
  counters().add(Counter::kJoinSynAckRx);
  // With another path there would be no way back from here. Once it is known what the first one is, the path
  // manager tries again.
  if (const MptcpSubflow* only = sole_subflow(); only != nullptr && is_in_doubt(*only)) {
    subflow.reset_reason = wire::ResetReason::kMiddleboxInterference;
    return tcp::SegmentVerdict::kReset;
  }
  const Key ours = negotiation.local.key, theirs = negotiation.remote.key;
  const auto expected = join_hmac(theirs, ours, join->sender_nonce, subflow.local_nonce, negotiation.version);
  if (truncate64(expected) != join->truncated_hmac) {
    counters().add(Counter::kJoinSynAckHmacFailure);
    subflow.reset_reason = wire::ResetReason::kMptcpSpecific;
    return tcp::SegmentVerdict::kReset;
  }
  if (join->backup) counters().add(Counter::kJoinSynAckBackupRx);
  subflow.is_backup_for_peer = join->backup;
  subflow.remote_nonce = join->sender_nonce;
  // Which ID the server gives the address we were told of is known already; that of another is learnt here.
  if (subflow.remote_id == 0) subflow.remote_id = join->address_id;
  subflow.join_hmac =
      truncate160(join_hmac(ours, theirs, subflow.local_nonce, subflow.remote_nonce, negotiation.version));
  return tcp::SegmentVerdict::kAccept;
}

/// A segment after the SYNs, while the join is not up.
tcp::SegmentVerdict Connection::Impl::on_join_segment(MptcpSubflow& subflow,
                                                      const wire::TcpSegment& segment) {
  if (subflow.join == JoinState::kAckSent) {
    // The fourth ACK, or data: the peer has verified us. A bare one may be an answer to something older.
    if (segment.options.mptcp.empty()) return tcp::SegmentVerdict::kDrop;
    on_join_up(subflow);
    return tcp::SegmentVerdict::kAccept;
  }
  if (subflow.join != JoinState::kSynReceived) return tcp::SegmentVerdict::kAccept;
  const auto* join = wire::find<wire::MpJoinAck>(segment.options.mptcp);
  const auto refuse = [&] {
    subflow.reset_reason = wire::ResetReason::kMptcpSpecific;
    return tcp::SegmentVerdict::kReset;
  };
  if (join == nullptr) return refuse();
  counters().add(Counter::kJoinAckRx);
  const auto expected =
      truncate160(join_hmac(negotiation.remote.key, negotiation.local.key, subflow.remote_nonce,
                            subflow.local_nonce, negotiation.version));
  if (expected != join->hmac) {
    counters().add(Counter::kJoinAckHmacFailure);
    return refuse();
  }
  return tcp::SegmentVerdict::kAccept;
}

void Connection::Impl::on_join_up(MptcpSubflow& subflow) {
  const bool is_ours = subflow.was_opened_by_us;
  subflow.join = JoinState::kUp;
  subflow.join_deadline = subflow.join_ack_at = kNever;
  subflow.was_up = true;
  if (is_logged()) log({.kind = Decision::Kind::kSubflowUp}, subflow);
  if (!is_ours) ask_for_ack(subflow);  // the fourth
  timer(ConnectionTimer::kSurvive) = kNever;
  had_siblings = true;
  most_subflows = std::max(most_subflows, static_cast<uint8_t>(subflows.size()));
  update_probe_limits();
  update_keepalives();
  if (path_manager != nullptr) path_manager->on_subflow_up(path_of(subflow), now);
  schedule_announcements();
  is_another_round_due = true;
}

}  // namespace braid::mptcp
