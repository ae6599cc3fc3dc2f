// What happened, counted by the kernel's MIB names where the event is the same, so people can read them with
// what they know (`nstat -a`).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace braid::mptcp {

// X(enumerator suffix, name as printed). Names not in the kernel's MIBs begin with "Braid".
#define BRAID_COUNTERS(X)                                                 \
  X(MpCapableSynRx, "MPTcpExtMPCapableSYNRX")                             \
  X(MpCapableSynTx, "MPTcpExtMPCapableSYNTX")                             \
  X(MpCapableSynAckRx, "MPTcpExtMPCapableSYNACKRX")                       \
  X(MpCapableAckRx, "MPTcpExtMPCapableACKRX")                             \
  X(MpCapableFallbackAck, "MPTcpExtMPCapableFallbackACK")                 \
  X(MpCapableFallbackSynAck, "MPTcpExtMPCapableFallbackSYNACK")           \
  X(MpCapableSynTxDrop, "MPTcpExtMPCapableSYNTXDrop")                     \
  X(MpCapableSynTxDisabled, "MPTcpExtMPCapableSYNTXDisabled")             \
  X(MpCapableDataFallback, "MPTcpExtMPCapableDataFallback")               \
  X(MpFallbackTokenInit, "MPTcpExtMPFallbackTokenInit")                   \
  X(Retrans, "MPTcpExtMPTCPRetrans")                                      \
  X(JoinNoTokenFound, "MPTcpExtMPJoinNoTokenFound")                       \
  X(JoinSynTx, "MPTcpExtMPJoinSynTx")                                     \
  X(JoinSynRx, "MPTcpExtMPJoinSynRx")                                     \
  X(JoinSynBackupRx, "MPTcpExtMPJoinSynBackupRx")                         \
  X(JoinSynAckRx, "MPTcpExtMPJoinSynAckRx")                               \
  X(JoinSynAckBackupRx, "MPTcpExtMPJoinSynAckBackupRx")                   \
  X(JoinSynAckHmacFailure, "MPTcpExtMPJoinSynAckHMacFailure")             \
  X(JoinAckRx, "MPTcpExtMPJoinAckRx")                                     \
  X(JoinAckHmacFailure, "MPTcpExtMPJoinAckHMacFailure")                   \
  X(JoinRejected, "MPTcpExtMPJoinRejected")                               \
  X(DssNotMatching, "MPTcpExtDSSNotMatching")                             \
  X(DssCorruptionFallback, "MPTcpExtDSSCorruptionFallback")               \
  X(DssCorruptionReset, "MPTcpExtDSSCorruptionReset")                     \
  X(InfiniteMapTx, "MPTcpExtInfiniteMapTx")                               \
  X(InfiniteMapRx, "MPTcpExtInfiniteMapRx")                               \
  X(DssNoMatchTcp, "MPTcpExtDSSNoMatchTCP")                               \
  X(DataCsumErr, "MPTcpExtDataCsumErr")                                   \
  X(OfoQueueTail, "MPTcpExtOFOQueueTail")                                 \
  X(OfoQueue, "MPTcpExtOFOQueue")                                         \
  X(OfoMerge, "MPTcpExtOFOMerge")                                         \
  X(NoDssInWindow, "MPTcpExtNoDSSInWindow")                               \
  X(DuplicateData, "MPTcpExtDuplicateData")                               \
  X(AddAddrRx, "MPTcpExtAddAddr")                                         \
  X(AddAddrTx, "MPTcpExtAddAddrTx")                                       \
  X(AddAddrTxDrop, "MPTcpExtAddAddrTxDrop")                               \
  X(EchoAddRx, "MPTcpExtEchoAdd")                                         \
  X(EchoAddTx, "MPTcpExtEchoAddTx")                                       \
  X(AddAddrBadHmac, "MPTcpExtAddAddrBadHMac")                             \
  X(AddAddrDrop, "MPTcpExtAddAddrDrop")                                   \
  X(RmAddrRx, "MPTcpExtRmAddr")                                           \
  X(RmAddrTx, "MPTcpExtRmAddrTx")                                         \
  X(RmAddrDrop, "MPTcpExtRmAddrDrop")                                     \
  X(RmSubflow, "MPTcpExtRmSubflow")                                       \
  X(MpPrioTx, "MPTcpExtMPPrioTx")                                         \
  X(MpPrioRx, "MPTcpExtMPPrioRx")                                         \
  X(MpFailTx, "MPTcpExtMPFailTx")                                         \
  X(MpFailRx, "MPTcpExtMPFailRx")                                         \
  X(MpFastcloseTx, "MPTcpExtMPFastcloseTx")                               \
  X(MpFastcloseRx, "MPTcpExtMPFastcloseRx")                               \
  X(MpRstTx, "MPTcpExtMPRstTx")                                           \
  X(MpRstRx, "MPTcpExtMPRstRx")                                           \
  X(SubflowStale, "MPTcpExtSubflowStale")                                 \
  X(SubflowRecover, "MPTcpExtSubflowRecover")                             \
  X(CurrEstab, "MPTcpExtMPCurrEstab")                                     \
  X(Blackhole, "MPTcpExtBlackhole")                                       \
  X(TcpActiveOpens, "TcpActiveOpens")                                     \
  X(TcpPassiveOpens, "TcpPassiveOpens")                                   \
  X(TcpAttemptFails, "TcpAttemptFails")                                   \
  X(TcpEstabResets, "TcpEstabResets")                                     \
  X(TcpCurrEstab, "TcpCurrEstab")                                         \
  X(TcpInSegs, "TcpInSegs")                                               \
  X(TcpOutSegs, "TcpOutSegs")                                             \
  X(TcpRetransSegs, "TcpRetransSegs")                                     \
  X(TcpInErrs, "TcpInErrs")                                               \
  X(TcpOutRsts, "TcpOutRsts")                                             \
  X(TcpInCsumErrors, "TcpInCsumErrors")                                   \
  X(TcpTimeouts, "TcpExtTCPTimeouts")                                     \
  X(TcpLossProbes, "TcpExtTCPLossProbes")                                 \
  X(TcpSackRecovery, "TcpExtTCPSackRecovery")                             \
  X(TcpSpuriousRtos, "TcpExtTCPSpuriousRTOs")                             \
  X(TcpChallengeAck, "TcpExtTCPChallengeACK")                             \
  X(TcpPawsEstab, "TcpExtPAWSEstab")                                      \
  X(TcpListenOverflows, "TcpExtListenOverflows")                          \
  X(TcpSyncookiesSent, "TcpExtSyncookiesSent")                            \
  X(TcpSyncookiesRecv, "TcpExtSyncookiesRecv")                            \
  X(TcpSyncookiesFailed, "TcpExtSyncookiesFailed")                        \
  X(TcpFastOpenActive, "TcpExtTCPFastOpenActive")                         \
  X(TcpFastOpenActiveFail, "TcpExtTCPFastOpenActiveFail")                 \
  X(TcpFastOpenPassive, "TcpExtTCPFastOpenPassive")                       \
  X(TcpFastOpenPassiveFail, "TcpExtTCPFastOpenPassiveFail")               \
  X(TcpFastOpenPassiveAltKey, "TcpExtTCPFastOpenPassiveAltKey")           \
  X(TcpFastOpenListenOverflow, "TcpExtTCPFastOpenListenOverflow")         \
  X(TcpFastOpenCookieReqd, "TcpExtTCPFastOpenCookieReqd")                 \
  X(TcpTimeWait, "TcpExtTW")                                              \
  X(TcpTimeWaitRecycled, "TcpExtTWRecycled")                              \
  X(IpInHdrErrors, "IpInHdrErrors")                                       \
  X(IpInAddrErrors, "IpInAddrErrors")                                     \
  X(IpInUnknownProtos, "IpInUnknownProtos")                               \
  X(IcmpInErrors, "IcmpInErrors")                                         \
  X(BraidUnmappedBytes, "BraidUnmappedBytes")                             \
  X(BraidMalformedOptions, "BraidMalformedOptions")                       \
  X(BraidBadDataAck, "BraidBadDataAck")                                   \
  X(BraidBadDataFin, "BraidBadDataFin")                                   \
  X(BraidResetsLimited, "BraidResetsLimited")                             \
  X(BraidReinjectedBytes, "BraidReinjectedBytes")                         \
  X(BraidFallbackDisabled, "BraidFallbackDisabled")                       \
  X(BraidFallbackPeerNotCapable, "BraidFallbackPeerNotCapable")           \
  X(BraidFallbackVersionMismatch, "BraidFallbackVersionMismatch")         \
  X(BraidFallbackNoCommonHmac, "BraidFallbackNoCommonHmac")               \
  X(BraidFallbackExtensibility, "BraidFallbackExtensibility")             \
  X(BraidFallbackSynOptionDropped, "BraidFallbackSynOptionDropped")       \
  X(BraidFallbackThirdAckStripped, "BraidFallbackThirdAckStripped")       \
  X(BraidFallbackDataWithoutMapping, "BraidFallbackDataWithoutMapping")   \
  X(BraidFallbackChecksumFailed, "BraidFallbackChecksumFailed")           \
  X(BraidFallbackPeerSentMpFail, "BraidFallbackPeerSentMpFail")           \
  X(BraidFallbackPeerInfiniteMapping, "BraidFallbackPeerInfiniteMapping") \
  X(BraidFallbackMd5Signature, "BraidFallbackMd5Signature")               \
  X(BraidFallbackSimultaneousOpen, "BraidFallbackSimultaneousOpen")       \
  X(BraidFallbackDataAckMissing, "BraidFallbackDataAckMissing")           \
  X(BraidFallbackSynOptionDroppedBefore, "BraidFallbackSynOptionDroppedBefore")

enum class Counter : uint8_t {
#define X(id, name) k##id,
  BRAID_COUNTERS(X)
#undef X
};
inline constexpr size_t kCounterCount = 0
#define X(id, name) +1
    BRAID_COUNTERS(X)
#undef X
    ;

std::string_view name_of(Counter counter);

class Counters {
 public:
  void add(Counter counter, uint64_t n = 1) { values_[static_cast<size_t>(counter)] += n; }
  /// For gauges (…CurrEstab).
  void subtract(Counter counter, uint64_t n = 1) { values_[static_cast<size_t>(counter)] -= n; }
  uint64_t operator[](Counter counter) const { return values_[static_cast<size_t>(counter)]; }

 private:
  std::array<uint64_t, kCounterCount> values_{};
};

}  // namespace braid::mptcp
