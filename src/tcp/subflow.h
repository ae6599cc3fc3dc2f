// One TCP: the state machine of RFC 9293 over sender, receiver and handshake. Knows no MPTCP, reads no clock.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/sequence.h"
#include "base/time.h"
#include "tcp/loss_recovery.h"
#include "tcp/upper.h"
#include "wire/packet.h"
#include "wire/tcp_segment.h"

namespace braid::tcp {

/// RFC 9293, 3.3.2. LISTEN is the Host's: a listener is not a subflow.
enum class State : uint8_t {
  kClosed,
  kSynSent,
  kSynReceived,
  kEstablished,
  kFinWait1,
  kFinWait2,
  kCloseWait,
  kClosing,
  kLastAck,
  kTimeWait,
};
/// "ESTABLISHED", "FIN-WAIT-1": as RFC 9293 writes them.
std::string_view to_string(State state);
std::string_view to_string(CloseReason reason);

struct SubflowConfig {
  uint16_t mss = 1460;       // what we can receive, and the most we send; from the path's MTU
  uint8_t window_scale = 8;  // of what we advertise, 0..14
  bool use_timestamps = true;
  bool use_sack = true;
  RtoLimits rto;
  Duration delayed_ack = 40ms;  // RFC 9293: below 500 ms
  uint32_t syn_attempts = 6;    // SYNs in all before kTimedOut
  uint32_t syn_ack_attempts = 5;
  uint32_t retransmission_attempts = 15;   // RTOs in a row before kTimedOut (RFC 1122's R2)
  Duration time_wait = 60s;                // 2 MSL; 0: over as soon as the last ACK is out
  Duration fin_wait_2 = 60s;               // orphaned only
  std::optional<Duration> keepalive_idle;  // SO_KEEPALIVE: nothing means off
  Duration keepalive_interval = 75s;
  uint32_t keepalive_attempts = 9;
  Duration user_timeout{0};                  // RFC 5482; 0: as retransmission_attempts has it
  uint32_t max_super_segment = 64'240;       // payload octets handed down at once; less than mss: mss
  uint32_t challenge_acks_per_second = 100;  // RFC 5961, 7
  uint8_t traffic_class = 0;
  uint8_t hop_limit = 64;  // 1..255; IPv4's time to live
};

/// What is left of a finished subflow while it waits 2 MSL: enough to answer. The Host keeps these in a
/// compact table.
struct TimeWaitRecord {
  wire::FourTuple tuple;
  Seq32 snd_nxt, rcv_nxt;
  uint16_t window = 0;
  std::optional<uint32_t> last_timestamp;  // highest TSval seen; RFC 6191
  uint32_t our_timestamp = 0;
  Time until;
};

/// Counted by name; see host/counters.h for the MIB names.
struct SubflowTotals {
  uint64_t segments_in = 0, segments_out = 0, bytes_in = 0,
           bytes_out = 0;  // bytes: payload, repeats included
  uint64_t duplicate_bytes_in = 0, out_of_order_in = 0, out_of_window_in = 0, paws_dropped = 0;
  uint64_t challenge_acks = 0, bad_resets = 0, delayed_acks = 0, zero_window_probes = 0, keepalive_probes = 0;
};

/// How to use it, in poll order, after any handle_ or command: poll_transmit() until it returns, then
/// next_deadline().
class Subflow {
 public:
  /// `initial_seq` as RFC 6528 (the Host makes it). `upper` outlives the subflow.
  Subflow(const SubflowConfig& config, const wire::FourTuple& tuple, Seq32 initial_seq,
          uint32_t timestamp_offset, Upper& upper, ChunkPool& pool,
          std::unique_ptr<CongestionControl> congestion_control);
  ~Subflow();
  Subflow(const Subflow&) = delete;
  Subflow& operator=(const Subflow&) = delete;

  // ---- commands
  void connect(Time now);  ///< active open: the SYN goes with the next poll_transmit
  /// Passive open with the SYN that came (the upper sees it first).
  void accept(const wire::TcpSegment& syn, Time now, SynText text = SynText::kIgnore);
  /// Passive open with a SYN that was answered before there was a subflow (SYN cookies).
  void accept_answered(const wire::TcpSegment& syn, Time now);
  void close(Time now);                     ///< no more data after what was granted: FIN
  void abort(Time now);                     ///< RST now (options by add_options), then CLOSED
  void drop(CloseReason reason, Time now);  ///< CLOSED without a word
  void orphan(Time now);                    ///< nobody reads any more: FIN-WAIT-2 is limited in time
  void request_ack();                       ///< an ACK goes with the next poll_transmit, data may carry it
  void request_bare_ack();                  ///< one without data, whatever else goes: it has options to carry
  void send_probe();  ///< an ACK-eliciting segment without new data (zero window, keepalive)
  void set_keepalive(std::optional<Duration> idle, Duration interval, uint32_t attempts, Time now);
  void set_user_timeout(Duration timeout);
  void set_mss(uint16_t mss);  ///< path MTU fell
  void set_rto_backoff_max(Duration max);
  void set_congestion_control(std::unique_ptr<CongestionControl> congestion_control);
  void set_traffic_class(uint8_t traffic_class);
  void set_hop_limit(uint8_t hop_limit);

  // ---- handle_*
  /// A segment for this tuple; checksum already verified.
  void on_segment(const wire::TcpSegment& segment, Time now);
  /// An ICMP error that quotes a segment of this tuple; checked against what is outstanding (RFC 5927).
  void on_icmp(const wire::IcmpError& error, Time now);
  /// Timers due at `now`.
  void advance(Time now);

  // ---- poll_*
  /// Sends what is due: SYN, retransmissions, new data as windows and the upper's grants allow, FIN, ACKs,
  /// RST.
  void poll_transmit(SegmentSink& sink, Time now);
  Time next_deadline() const;

  // ---- getters
  State state() const;
  bool is_open() const;          ///< data may flow one way or the other: ESTABLISHED to LAST-ACK
  bool is_synchronized() const;  ///< past the handshake
  /// ESTABLISHED or CLOSE-WAIT, or SYN-RECEIVED by Fast Open, and close() not called.
  bool can_send() const;
  /// Octets of text on the SYN that were taken: by us, or (active open) as the SYN/ACK says.
  uint32_t syn_text_bytes() const;
  /// SYN-RECEIVED, but its SYN's text was taken: answers may go already (RFC 7413, 4.2.2).
  bool is_fast_open_pending() const;
  const wire::FourTuple& tuple() const;
  Seq32 initial_send_seq() const;
  Seq32 initial_receive_seq() const;
  StreamOffset snd_una() const;
  StreamOffset snd_nxt() const;  ///< one past the highest octet sent
  StreamOffset snd_end() const;  ///< one past the last octet granted (sent or not)
  StreamOffset rcv_nxt() const;
  uint32_t mss() const;  ///< payload octets of a full segment to send, options of a data segment considered
  uint64_t send_window_bytes() const;  ///< the peer's window on this subflow, from snd_una
  /// Octets of new data that congestion and send window have room for now (0 in loss with retransmissions
  /// pending).
  uint64_t send_room_bytes() const;
  bool has_retransmissions() const;
  bool is_stalled() const;  ///< a retransmission timeout happened and nothing was acknowledged since
  LossRecovery& recovery();
  const LossRecovery& recovery() const;
  bool has_timestamps() const;
  bool has_sack() const;
  uint8_t peer_window_scale() const;
  uint8_t window_scale() const;  ///< ours in effect; 0 if the peer does not scale
  CloseReason close_reason() const;
  std::optional<int> soft_error()
      const;  ///< errno of the last ICMP error (RFC 9293, 3.9.2.2): shown if it times out
  uint64_t receive_queue_bytes() const;  ///< held out of order
  const SubflowTotals& totals() const;
  Time last_received() const;
  std::optional<TimeWaitRecord> time_wait(Time now) const;  ///< when state() is kTimeWait
  bool has_reset_to_send() const;                           ///< CLOSED, but one more poll_transmit is due

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The response of the CLOSED state to a segment that belongs to nothing (RFC 9293, 3.10.7.1): the RST;
/// nothing for a segment that is itself a RST.
std::optional<wire::OutgoingSegment> reset_for(const wire::TcpSegment& segment);

}  // namespace braid::tcp
