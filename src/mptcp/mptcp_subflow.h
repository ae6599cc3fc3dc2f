// A subflow as its connection keeps it: the TCP below, and what MPTCP knows about it.
#pragma once

#include <array>
#include <boost/container/static_vector.hpp>
#include <cstdint>
#include <optional>

#include "mptcp/data_map.h"
#include "mptcp/path_manager/path_manager.h"
#include "mptcp/scheduler/scheduler.h"
#include "mptcp/usual_rate.h"
#include "tcp/subflow.h"
#include "wire/checksum.h"
#include "wire/mptcp_options.h"

namespace braid::mptcp {

/// How far an additional subflow is on its way to carry data (RFC 8684, 3.2).
enum class JoinState : uint8_t {
  kNone,         // the initial subflow: MP_CAPABLE made it
  kSynSent,      // we open it
  kSynReceived,  // the peer does
  kAckSent,      // ours: the third ACK, with our HMAC, is repeated until the fourth is seen
  kUp,
};

/// Payload of a mapping with a checksum, until all of it is here and verified.
struct HeldMap {
  Ring<Slice> slices;
  wire::InternetChecksum sum;
  StreamOffset stream_begin;
  uint32_t received_bytes = 0;

  void clear() {
    slices.clear();
    sum = {};
    received_bytes = 0;
  }
};

/// Derives from the TCP subflow so that what the upper's calls are given leads here without a search.
struct MptcpSubflow final : tcp::Subflow {
  using tcp::Subflow::Subflow;

  uint8_t index = 0, local_id = 0, remote_id = 0;
  bool is_initial = false, was_opened_by_us = false;
  std::optional<uint8_t> label;     // DSCP of its packets, whatever the connection's is
  bool is_backup_for_us = false;    // we asked the peer to use it as a backup, and do so ourselves
  bool is_backup_for_peer = false;  // the peer asked us to

  // ---- joining
  JoinState join = JoinState::kNone;
  uint32_t local_nonce = 0, remote_nonce = 0;
  std::array<std::byte, 20> join_hmac{};  // ours, of the third ACK
  Time join_deadline = kNever, join_ack_at = kNever;
  Duration join_ack_interval{0};

  // ---- data
  // Octets of the SYN (RFC 7413), sent and received: no mapping counts them (RFC 8684, B.2).
  uint32_t tx_unmapped = 0, rx_unmapped = 0;
  PathPolicy policy;  // what the user wants of its path
  TxMaps tx;
  RxMaps rx;
  HeldMap held;
  DataOffset copied_to;           // redundant schedulers: it has had, or needs not, all below
  StreamOffset reinjected_to;     // maps that begin below were offered to the other subflows already
  bool has_seen_mapping = false;  // the peer's first DSS with a mapping came
  uint32_t unmapped_in_a_row = 0;

  // ---- signs of plain TCP: plain_peer.cc
  Duration handshake_rto{0};   // as the handshake's round trip, to the peer itself, made it
  uint32_t bare_in_a_row = 0;  // segments without any MPTCP option
  Time bare_since{};
  std::optional<StreamOffset> bare_from;  // where the first payload begins that came so
  bool has_bare_fin = false;
  StreamOffset acked_with_data_ack{};  // the furthest ACK that had a DATA_ACK beside it
  uint32_t probes_without_word = 0;    // since the last segment with an option

  // What it acknowledged before DATA_ACK did, from first to last. Usually that only waits for a sibling's
  // data; but a proxy may have acknowledged what it then lost.
  DataOffset unconfirmed_begin, unconfirmed_end;
  uint32_t suspicions = 0;  // how often in a row that had to be repeated
  bool is_suspected = false;
  bool is_doubted = false;  // its ACKs are overdue: nothing new for it before there is a sign of life
  Time doubted_at{};
  bool is_doubt_confirmed = false;  // a retransmission timeout followed
  Time penalised_at{};
  UsualRate usual_rate;
  Time granted_at{};  // when it last got data, of whatever kind
  uint64_t data_sent_bytes = 0, data_received_bytes = 0, reinjected_bytes = 0;

  bool is_sack_next = true;  // SACK and DATA_ACK take turns on data segments

  // ---- options to send once
  bool is_priority_due = false;
  std::optional<uint64_t> fail_due;  // MP_FAIL with this data sequence number
  uint8_t fails_left = 8;            // ACKs are not reliable: several carry it
  bool is_fastclose = false;         // its RST says MP_FASTCLOSE, or its ACKs, until the peer's RST
  Time fastclose_at = kNever;        // those are repeated
  uint8_t fastcloses_left = 0;
  std::optional<wire::ResetReason> reset_reason;  // else its RST says MP_TCPRST

  // ---- its end
  bool is_closed = false;  // the TCP is done; kept until its last segment is out
  bool is_drained = false;
  bool is_close_due = false;   // close() when its call has returned
  bool was_up = false;         // told to the path manager
  bool has_lost_race = false;  // its first SYN was not the one that was answered first
  bool has_path_keepalive = false;
  tcp::CloseReason close_reason_seen = tcp::CloseReason::kNone;
  std::optional<SubflowEnd> end;                        // why we closed it, if we did
  std::optional<wire::ResetReason> peers_reset_reason;  // its RST said so

  /// Nothing comes back, by a timeout's measure or sooner by ours.
  bool is_silent() const { return is_stalled() || is_doubted; }
  bool is_backup() const { return is_backup_for_us || is_backup_for_peer; }
  /// Whether it holds that octet and goes on until the peer has it.
  bool is_carrying(DataOffset offset) const { return first_not_carried(offset) != offset; }
  /// One past the end of its map that holds the octet; the octet itself if there is none.
  DataOffset first_not_carried(DataOffset offset) const;
  /// As a mapping tells it: relative to what the SYN left off.
  uint32_t tx_ssn(StreamOffset offset) const { return static_cast<uint32_t>(offset.value() - tx_unmapped); }
  uint32_t rx_ssn(StreamOffset offset) const { return static_cast<uint32_t>(offset.value() - rx_unmapped); }
  StreamOffset rx_offset(uint32_t ssn) const {
    return StreamOffset(unwrap32(ssn, rcv_nxt().value() - rx_unmapped) + rx_unmapped);
  }
  bool is_joined() const { return join == JoinState::kNone || join == JoinState::kUp; }
  /// May carry new data.
  bool is_usable() const { return !is_closed && is_joined() && can_send(); }
};

}  // namespace braid::mptcp
