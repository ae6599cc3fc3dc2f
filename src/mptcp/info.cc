// Names and snapshots, for people.
#include "mptcp/connection_impl.h"

namespace braid::mptcp {

std::string_view to_string(MultipathState state) {
  switch (state) {
    case MultipathState::kNegotiating:
      return "negotiating";
    case MultipathState::kConfirmed:
      return "confirmed";
    case MultipathState::kEstablished:
      return "established";
    case MultipathState::kFallback:
      return "fallback";
  }
  return "?";
}

std::string_view to_string(ConnectionError error) {
  switch (error) {
    case ConnectionError::kNone:
      return "none";
    case ConnectionError::kRefused:
      return "refused";
    case ConnectionError::kReset:
      return "reset";
    case ConnectionError::kTimedOut:
      return "timed-out";
    case ConnectionError::kUnreachable:
      return "unreachable";
    case ConnectionError::kNetUnreachable:
      return "net-unreachable";
    case ConnectionError::kAborted:
      return "aborted";
  }
  return "?";
}

std::string_view to_string(FallbackReason reason) {
  switch (reason) {
    case FallbackReason::kNone:
      return "none";
    case FallbackReason::kDisabled:
      return "disabled";
    case FallbackReason::kPeerNotCapable:
      return "peer-not-capable";
    case FallbackReason::kVersionMismatch:
      return "version-mismatch";
    case FallbackReason::kNoCommonHmac:
      return "no-common-hmac";
    case FallbackReason::kExtensibility:
      return "extensibility";
    case FallbackReason::kSynOptionDropped:
      return "syn-option-dropped";
    case FallbackReason::kThirdAckStripped:
      return "third-ack-stripped";
    case FallbackReason::kDataWithoutMapping:
      return "data-without-mapping";
    case FallbackReason::kSynOptionDroppedBefore:
      return "syn-option-dropped-before";
    case FallbackReason::kChecksumFailed:
      return "checksum-failed";
    case FallbackReason::kPeerSentMpFail:
      return "peer-sent-mp-fail";
    case FallbackReason::kPeerInfiniteMapping:
      return "peer-infinite-mapping";
    case FallbackReason::kMd5Signature:
      return "md5-signature";
    case FallbackReason::kSimultaneousOpen:
      return "simultaneous-open";
    case FallbackReason::kDataAckMissing:
      return "data-ack-missing";
  }
  return "?";
}

/// RFC 9293's names, at data level (RFC 8684, 3.3.3: DATA_FIN takes the part of FIN). Of plain TCP it is the
/// subflow's own.
std::string_view Connection::Impl::state_name() const {
  if (closing.is_over) return "CLOSED";
  if (negotiation.is_fallback() && subflows.size() == 1) return tcp::to_string(subflows.front()->state());
  if (!was_established) return negotiation.is_server ? "SYN-RECEIVED" : "SYN-SENT";
  if (closing.is_send_shut) {
    const bool is_acked = negotiation.is_fallback() ? closing.are_subflows_closing && is_everything_acked()
                                                    : closing.is_fin_acked;
    if (receiving.is_fin_consumed) return is_acked ? "TIME-WAIT" : "LAST-ACK";
    return is_acked ? "FIN-WAIT-2" : "FIN-WAIT-1";
  }
  return receiving.is_fin_consumed ? "CLOSE-WAIT" : "ESTABLISHED";
}

SubflowInfo Connection::Impl::info_of(const MptcpSubflow& subflow) const {
  const tcp::LossRecovery& recovery = subflow.recovery();
  const tcp::LossRecovery::Totals& totals = recovery.totals();
  return {.index = subflow.index,
          .local_id = subflow.local_id,
          .remote_id = subflow.remote_id,
          .tuple = subflow.tuple(),
          .state = subflow.state(),
          .is_initial = subflow.is_initial,
          .is_backup = subflow.is_backup(),
          .is_stalled = subflow.is_stalled(),
          .is_fully_established = subflow.is_joined() && subflow.is_synchronized(),
          .label = subflow.label,
          .congestion_control = std::string(recovery.congestion_control().name()),
          .srtt = recovery.rtt().srtt(),
          .rttvar = recovery.rtt().rttvar(),
          .min_rtt = recovery.rtt().min_rtt(),
          .rto = recovery.current_rto(),
          .cwnd_bytes = recovery.cwnd_bytes(),
          .ssthresh_bytes = recovery.congestion_control().ssthresh_bytes(),
          .in_flight_bytes = recovery.in_flight_bytes(),
          .send_window_bytes = subflow.send_window_bytes(),
          .data_sent_bytes = subflow.data_sent_bytes,
          .data_received_bytes = subflow.data_received_bytes,
          .retransmitted_bytes = totals.retransmitted_bytes,
          .retransmissions = totals.retransmissions,
          .timeouts = totals.timeouts,
          .reinjected_bytes = subflow.reinjected_bytes,
          .mss = subflow.mss(),
          .has_timestamps = subflow.has_timestamps(),
          .has_sack = subflow.has_sack(),
          .window_scale = subflow.window_scale(),
          .peer_window_scale = subflow.peer_window_scale()};
}

ConnectionInfo Connection::Impl::info() const {
  ConnectionInfo info;
  info.local_token = negotiation.local.token;
  info.remote_token = negotiation.remote.token;
  info.multipath = negotiation.state;
  info.fallback = negotiation.fallback;
  info.version = negotiation.version;
  info.fallback_packet = negotiation.fallback_packet;
  info.is_server = negotiation.is_server;
  info.is_checksummed = negotiation.is_checksummed;
  info.had_further_paths = may_have_siblings || had_siblings;
  info.scheduler = scheduler->name();
  info.congestion_control = config.congestion_control;
  info.path_manager = path_manager != nullptr ? path_manager->name() : config.path_manager;
  info.local = local;
  info.remote = remote;
  info.state = state_name();
  for (const auto& subflow : subflows)
    if (subflow->is_initial) info.syn_data_bytes = subflow->syn_text_bytes();
  info.sent_bytes = sending.next - DataOffset(1);
  info.written_bytes = sending.buffer.end() - DataOffset(1);
  info.acked_bytes = sending.buffer.data_una() - DataOffset(1);
  info.received_bytes = receiving.data.data_rcv_nxt() - DataOffset(1);
  info.reinjected_bytes = sending.reinjected_bytes;
  info.retransmitted_bytes = sending.retransmitted_bytes;
  for (const auto& subflow : subflows)
    info.retransmitted_bytes += subflow->recovery().totals().retransmitted_bytes;
  info.send_queue_bytes = sending.buffer.occupancy_bytes();
  info.receive_queue_bytes = receiving.data.readable_bytes();
  info.out_of_order_bytes = receiving.data.out_of_order_bytes();
  info.send_buffer_bytes = sending.limit_bytes;
  info.receive_buffer_bytes = receiving.buffer.size_bytes();
  info.opened = opened;
  for (const auto& subflow : subflows) info.subflows.push_back(info_of(*subflow));
  return info;
}

}  // namespace braid::mptcp
