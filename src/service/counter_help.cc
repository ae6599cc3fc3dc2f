#include <string_view>

#include "service/metrics_page.h"

namespace braid::service {

std::string_view help_of(mptcp::Counter counter) {
  using mptcp::Counter;
  switch (counter) {
    case Counter::kMpCapableSynRx:
      return "SYNs with MP_CAPABLE that came.";
    case Counter::kMpCapableSynTx:
      return "SYNs with MP_CAPABLE that were sent.";
    case Counter::kMpCapableSynAckRx:
      return "SYN/ACKs with MP_CAPABLE that came.";
    case Counter::kMpCapableAckRx:
      return "Third ACKs with MP_CAPABLE that came: the peer has our key.";
    case Counter::kMpCapableFallbackAck:
      return "Servers' connections that are plain TCP because the third ACK had no MP_CAPABLE.";
    case Counter::kMpCapableFallbackSynAck:
      return "Clients' connections that are plain TCP because the SYN/ACK had no MP_CAPABLE.";
    case Counter::kMpCapableSynTxDrop:
      return "Connections whose SYNs with MP_CAPABLE went unanswered, while one without was answered.";
    case Counter::kMpCapableSynTxDisabled:
      return "Connections that did not offer MP_CAPABLE because it was dropped on earlier ones.";
    case Counter::kMpCapableDataFallback:
      return "Connections that are plain TCP because the first data came without a mapping.";
    case Counter::kMpFallbackTokenInit:
      return "Connections that are plain TCP because no token was free.";
    case Counter::kRetrans:
      return "Data-level retransmissions: data that went again on another subflow.";
    case Counter::kJoinNoTokenFound:
      return "SYNs with MP_JOIN for a token that no connection has.";
    case Counter::kJoinSynTx:
      return "SYNs with MP_JOIN that were sent: paths that we opened.";
    case Counter::kJoinSynRx:
      return "SYNs with MP_JOIN that came: paths that peers opened.";
    case Counter::kJoinSynBackupRx:
      return "Of those, for a backup path.";
    case Counter::kJoinSynAckRx:
      return "SYN/ACKs with MP_JOIN that came.";
    case Counter::kJoinSynAckBackupRx:
      return "Of those, for a backup path.";
    case Counter::kJoinSynAckHmacFailure:
      return "SYN/ACKs with MP_JOIN whose HMAC was wrong.";
    case Counter::kJoinAckRx:
      return "Third ACKs with MP_JOIN that came.";
    case Counter::kJoinAckHmacFailure:
      return "Of those, with a wrong HMAC.";
    case Counter::kJoinRejected:
      return "Joins that were refused by limits or rules.";
    case Counter::kDssNotMatching:
      return "Mappings that contradict an earlier one.";
    case Counter::kDssCorruptionFallback:
      return "Connections that are plain TCP because mappings were corrupted.";
    case Counter::kDssCorruptionReset:
      return "Subflows that were reset because mappings were corrupted.";
    case Counter::kInfiniteMapTx:
      return "Infinite mappings that were sent: fallback in mid-stream.";
    case Counter::kInfiniteMapRx:
      return "Infinite mappings that came: the peer fell back.";
    case Counter::kDssNoMatchTcp:
      return "Mappings that do not fit the subflow's sequence numbers.";
    case Counter::kDataCsumErr:
      return "Data whose checksum was wrong: something on the way changed it.";
    case Counter::kOfoQueueTail:
      return "Out-of-order data that went to the end of the reassembly queue.";
    case Counter::kOfoQueue:
      return "Out-of-order data that went into the reassembly queue.";
    case Counter::kOfoMerge:
      return "Of those, joined with what was there.";
    case Counter::kNoDssInWindow:
      return "Data whose mapping was outside of the window.";
    case Counter::kDuplicateData:
      return "Data that were there already: reinjections of the peer, or copies.";
    case Counter::kAddAddrRx:
      return "ADD_ADDR that came: peers announced addresses.";
    case Counter::kAddAddrTx:
      return "ADD_ADDR that were sent.";
    case Counter::kAddAddrTxDrop:
      return "ADD_ADDR that could not be queued.";
    case Counter::kEchoAddRx:
      return "Echoes of our ADD_ADDR that came.";
    case Counter::kEchoAddTx:
      return "Echoes of peers' ADD_ADDR that were sent.";
    case Counter::kAddAddrBadHmac:
      return "ADD_ADDR with a wrong HMAC: somebody else announced an address.";
    case Counter::kAddAddrDrop:
      return "ADD_ADDR that were not acted on for want of room.";
    case Counter::kRmAddrRx:
      return "REMOVE_ADDR that came.";
    case Counter::kRmAddrTx:
      return "REMOVE_ADDR that were sent.";
    case Counter::kRmAddrDrop:
      return "REMOVE_ADDR that could not be queued.";
    case Counter::kRmSubflow:
      return "Subflows that ended while their connection went on.";
    case Counter::kMpPrioTx:
      return "MP_PRIO that were sent: backup or no longer.";
    case Counter::kMpPrioRx:
      return "MP_PRIO that came.";
    case Counter::kMpFailTx:
      return "MP_FAIL that were sent: a checksum was wrong here.";
    case Counter::kMpFailRx:
      return "MP_FAIL that came: a checksum was wrong at the peer.";
    case Counter::kMpFastcloseTx:
      return "MP_FASTCLOSE that were sent: connections that were aborted here.";
    case Counter::kMpFastcloseRx:
      return "MP_FASTCLOSE that came: connections that peers aborted.";
    case Counter::kMpRstTx:
      return "MP_TCPRST that were sent: subflows that were reset with a reason.";
    case Counter::kMpRstRx:
      return "MP_TCPRST that came.";
    case Counter::kSubflowStale:
      return "Timeouts after which a path's data was offered to the others.";
    case Counter::kSubflowRecover:
      return "Paths that answered again after that.";
    case Counter::kCurrEstab:
      return "Connections that are Multipath TCP now.";
    case Counter::kBlackhole:
      return "Times that Multipath TCP was turned off for destinations that drop it.";
    case Counter::kTcpActiveOpens:
      return "Connections that were opened here, subflows included.";
    case Counter::kTcpPassiveOpens:
      return "Connections that peers opened, subflows included.";
    case Counter::kTcpAttemptFails:
      return "Handshakes that came to nothing.";
    case Counter::kTcpEstabResets:
      return "Established subflows that were reset.";
    case Counter::kTcpCurrEstab:
      return "Subflows that are established now.";
    case Counter::kTcpInSegs:
      return "Segments that came; a super-segment is one.";
    case Counter::kTcpOutSegs:
      return "Segments that were sent, retransmissions apart; a super-segment is one.";
    case Counter::kTcpRetransSegs:
      return "Segments that subflows sent again.";
    case Counter::kTcpInErrs:
      return "Segments that came and made no sense.";
    case Counter::kTcpOutRsts:
      return "Resets that were sent.";
    case Counter::kTcpInCsumErrors:
      return "Segments with a wrong TCP checksum.";
    case Counter::kTcpTimeouts:
      return "Retransmission timeouts.";
    case Counter::kTcpLossProbes:
      return "Tail loss probes that were sent.";
    case Counter::kTcpSackRecovery:
      return "Loss recoveries that SACK began.";
    case Counter::kTcpSpuriousRtos:
      return "Timeouts that turned out to be wrong.";
    case Counter::kTcpChallengeAck:
      return "Challenge ACKs that were sent (RFC 5961).";
    case Counter::kTcpPawsEstab:
      return "Segments with an old timestamp (PAWS, RFC 7323).";
    case Counter::kTcpListenOverflows:
      return "Connections that found the backlog full.";
    case Counter::kTcpFastOpenActive:
      return "Connections whose SYN's data the server took whole.";
    case Counter::kTcpFastOpenActiveFail:
      return "Connections whose SYN's data the server did not take, or in part.";
    case Counter::kTcpFastOpenPassive:
      return "SYNs whose data were taken.";
    case Counter::kTcpFastOpenPassiveFail:
      return "SYNs with a wrong cookie.";
    case Counter::kTcpFastOpenPassiveAltKey:
      return "SYNs with a cookie of the key before.";
    case Counter::kTcpFastOpenListenOverflow:
      return "SYNs whose data were not taken because too many handshakes of their kind were open.";
    case Counter::kTcpFastOpenCookieReqd:
      return "SYNs that asked for a cookie.";
    case Counter::kTcpSyncookiesSent:
      return "SYNs that were answered with a cookie.";
    case Counter::kTcpSyncookiesRecv:
      return "ACKs with a good cookie.";
    case Counter::kTcpSyncookiesFailed:
      return "ACKs with a wrong cookie.";
    case Counter::kTcpTimeWait:
      return "Sockets that went through TIME-WAIT.";
    case Counter::kTcpTimeWaitRecycled:
      return "Of those, taken over early by a new connection.";
    case Counter::kIpInHdrErrors:
      return "Packets with a wrong IP header.";
    case Counter::kIpInAddrErrors:
      return "Packets for an address that is not ours.";
    case Counter::kIpInUnknownProtos:
      return "Packets of a protocol other than TCP and ICMP.";
    case Counter::kIcmpInErrors:
      return "ICMP errors that came and made no sense.";
    case Counter::kBraidUnmappedBytes:
      return "Octets that came without a mapping.";
    case Counter::kBraidMalformedOptions:
      return "MPTCP options that came and made no sense.";
    case Counter::kBraidBadDataAck:
      return "DATA_ACKs of data that was never sent.";
    case Counter::kBraidBadDataFin:
      return "DATA_FINs that contradict an earlier one.";
    case Counter::kBraidResetsLimited:
      return "Resets that were not sent because there were too many.";
    case Counter::kBraidReinjectedBytes:
      return "Octets that were given to a second subflow.";
    case Counter::kBraidFallbackDisabled:
      return "Connections that are plain TCP because Multipath TCP is turned off here.";
    case Counter::kBraidFallbackPeerNotCapable:
      return "Connections that are plain TCP because the peer does not do Multipath TCP.";
    case Counter::kBraidFallbackVersionMismatch:
      return "Connections that are plain TCP for want of a common version.";
    case Counter::kBraidFallbackNoCommonHmac:
      return "Connections that are plain TCP because the peer does not do HMAC-SHA256.";
    case Counter::kBraidFallbackExtensibility:
      return "Connections that are plain TCP because the peer asks for an unknown extension.";
    case Counter::kBraidFallbackSynOptionDropped:
      return "Connections that are plain TCP because SYNs with MP_CAPABLE are dropped on the way.";
    case Counter::kBraidFallbackThirdAckStripped:
      return "Connections that are plain TCP because options are removed after the handshake.";
    case Counter::kBraidFallbackDataWithoutMapping:
      return "Connections that are plain TCP because options are removed from data.";
    case Counter::kBraidFallbackChecksumFailed:
      return "Connections that are plain TCP because a checksum was wrong here.";
    case Counter::kBraidFallbackPeerSentMpFail:
      return "Connections that are plain TCP because a checksum was wrong at the peer.";
    case Counter::kBraidFallbackPeerInfiniteMapping:
      return "Connections that are plain TCP because the peer fell back.";
    case Counter::kBraidFallbackMd5Signature:
      return "Connections that are plain TCP because of MD5 signatures.";
    case Counter::kBraidFallbackSimultaneousOpen:
      return "Connections that are plain TCP because both ends opened them at once.";
    case Counter::kBraidFallbackDataAckMissing:
      return "Connections that are plain TCP because ACKs of data had no option, and no DATA_ACK followed.";
    case Counter::kBraidFallbackSynOptionDroppedBefore:
      return "Connections that are plain TCP because earlier ones to there had to be.";
  }
  return {};
}

}  // namespace braid::service
