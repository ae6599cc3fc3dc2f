// The parts of a Subflow and what ties them together. Private to this room: the methods are defined by topic
// in handshake.cc, segment_input.cc, segment_output.cc, timers.cc, icmp_input.cc and subflow.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "tcp/ack_policy.h"
#include "tcp/burst_limit.h"
#include "tcp/loss_recovery.h"
#include "tcp/receiver.h"
#include "tcp/send_window.h"
#include "tcp/subflow.h"
#include "tcp/timestamp_clock.h"
#include "tcp/upper.h"

namespace braid::tcp {

/// At most so many per second (RFC 5961, 7).
class RateLimit {
 public:
  explicit RateLimit(uint32_t per_second) : per_second_(per_second) {}
  bool take(Time now) {
    if (now - since_ >= 1s || now < since_) {
      since_ = now;
      taken_ = 0;
    }
    if (taken_ >= per_second_) return false;
    ++taken_;
    return true;
  }

 private:
  uint32_t per_second_;
  uint32_t taken_ = 0;
  Time since_{};
};

/// What a step of segment input decided (RFC 9293, 3.10.7).
enum class Disposition : uint8_t {
  kContinue,     // on to the next step
  kDrop,         // nothing more, and no answer
  kAcknowledge,  // dropped; an ACK tells the peer where we are
  kChallenge,    // dropped; a challenge ACK, if the rate allows (RFC 5961)
  kRefuse,       // dropped; answered by a RST that leaves our state alone
  kReset,        // the upper wants the subflow gone: RST, CLOSED
  kClosed,       // the subflow is finished; nothing more
};

/// A segment under examination, in the terms of this subflow's streams.
struct Arrival {
  const wire::TcpSegment& segment;
  StreamOffset begin;         // of its text, a SYN's octet left aside
  StreamOffset ack;           // valid if the ACK bit is set
  uint64_t window_bytes = 0;  // scaled
  Time now;

  StreamOffset text_end() const { return begin + segment.payload.size(); }
};

struct Subflow::Impl {
  /// Of the two ways to say it, the one that both ends agreed on.
  struct Handshake {
    Seq32 initial_seq;
    bool is_active = false;
    bool has_round_trip = true;  // when what is answered was sent is known
    bool is_due = false;         // SYN or SYN/ACK goes with the next poll_transmit
    uint32_t sent = 0;           // SYNs, SYN/ACKs
    uint32_t timeouts = 0;
    Time first_sent_at{}, last_sent_at{};
    Time deadline = kNever;
    uint16_t send_mss = 536;  // the peer's and the path's, before options
    bool has_timestamps = false, has_sack = false, has_window_scale = false;
    uint8_t peer_window_scale = 0;
    uint32_t syn_text = 0;        // octets of text on our first SYN (RFC 7413)
    uint32_t syn_text_taken = 0;  // of ours by the peer, or of the peer's by us
  };
  /// RFC 9293, 3.8.6.1: asks a shut window whether it has opened.
  struct Persist {
    Time deadline = kNever;
    uint32_t backoff = 0;
    uint32_t unanswered = 0;
    Time unanswered_since = kNever;
    bool may_send_small = false;  // silly-window avoidance has waited long enough
  };
  struct Keepalive {
    std::optional<Duration> idle;
    Duration interval{};
    uint32_t attempts = 0;
    uint32_t unanswered = 0;
    Time last_probe_at{};
  };

  Impl(Subflow& self, const SubflowConfig& config, const wire::FourTuple& tuple, Seq32 initial_seq,
       uint32_t timestamp_offset, Upper& upper, ChunkPool& pool,
       std::unique_ptr<CongestionControl> congestion_control);

  // ---- state (subflow.cc)
  bool is_synchronized() const { return state > State::kSynReceived; }
  /// Data or FIN may still be on their way out.
  bool is_sending() const {
    if (is_fast_open_pending()) return true;
    return is_synchronized() && state != State::kFinWait2 && state != State::kTimeWait;
  }
  bool has_outstanding() const { return snd_una < snd_nxt; }
  bool is_receiving() const {
    return state == State::kEstablished || state == State::kFinWait1 || state == State::kFinWait2;
  }
  bool can_send() const {
    return (state == State::kEstablished || state == State::kCloseWait || is_fast_open_pending()) &&
           !is_close_requested;
  }
  /// The SYN's text was taken and the SYN/ACK is out: data may follow it (RFC 7413, 4.2.2).
  bool is_fast_open_pending() const {
    return state == State::kSynReceived && !handshake.is_active && handshake.syn_text_taken > 0 &&
           handshake.sent > 0;
  }
  /// Whether an ACK may answer our SYN, with as much of its text as the peer took.
  bool answers_syn(StreamOffset ack) const {
    return ack >= StreamOffset(1) && ack <= StreamOffset(1) + handshake.syn_text;
  }
  Seq32 wire_snd_nxt() const;
  Seq32 wire_seq(StreamOffset offset) const { return wrap(offset, handshake.initial_seq); }
  uint8_t own_window_scale() const { return handshake.has_window_scale ? config.window_scale : 0; }
  void start_closing();
  void close_with(CloseReason why, Time now);
  void reset_with(CloseReason why, Time now);
  void enter_time_wait(Time now);
  void release();

  // ---- handshake (handshake.cc)
  void connect(Time now);
  void accept(const wire::TcpSegment& syn, Time now, SynText text);
  void take_syn_text(const wire::TcpSegment& syn, Time now);
  void add_syn_text(wire::OutgoingSegment& out, Time now);
  void on_syn_text_answered(StreamOffset ack, Time now);
  void accept_answered(const wire::TcpSegment& syn, Time now);
  void learn_from_syn(const wire::TcpSegment& syn, Time now);
  void become_established(Time now);
  void on_handshake_rtt(std::optional<wire::Timestamps> echoed, Time now);
  void on_handshake_deadline(Time now);
  Disposition input_syn_sent(const wire::TcpSegment& segment, Time now);
  void send_syn(SegmentSink& sink, Time now);
  void set_send_mss(uint16_t mss);

  // ---- segment input (segment_input.cc): RFC 9293, 3.10.7.4
  void on_segment(const wire::TcpSegment& segment, Time now);
  void conclude(Disposition disposition, const wire::TcpSegment& segment, Time now);
  Disposition input_synchronized(const wire::TcpSegment& segment, Time now);
  Disposition check_simultaneous_open(Arrival& arrival);
  Disposition check_paws(const Arrival& arrival);
  Disposition check_sequence(const Arrival& arrival);
  Disposition check_rst(const Arrival& arrival);
  Disposition check_syn(const Arrival& arrival);
  Disposition check_ack(const Arrival& arrival);
  Disposition consult_upper(const Arrival& arrival);
  Disposition process_ack(const Arrival& arrival);
  Disposition process_text(const Arrival& arrival);
  Disposition process_fin(const Arrival& arrival);
  void on_heard(Time now);
  void update_timestamp(const Arrival& arrival);
  Disposition on_ack_outcome(const AckOutcome& outcome, Time now);
  Disposition on_our_fin_acked(Time now);
  Disposition deliver(Slice text, Time now);
  Disposition on_peer_fin(Time now);
  bool is_our_fin_acked() const { return is_fin_sent && snd_una > end; }

  // ---- segment output (segment_output.cc)
  void poll_transmit(SegmentSink& sink, Time now);
  void send_resets(SegmentSink& sink);
  void send_retransmissions(SegmentSink& sink, Time now);
  void send_tail_probe(SegmentSink& sink, Time now);
  /// Why no more went out.
  enum class SendLimit : uint8_t { kCongestion, kOther };
  SendLimit send_new_data(SegmentSink& sink, Time now);
  BurstLimit::Window burst_window() const;
  uint64_t grant(uint64_t room, uint32_t full, Time now);
  uint64_t next_size(uint64_t unsent, uint64_t room, uint32_t full) const;
  void note_sent(ByteRange sent, Time now);
  void send_fin(SegmentSink& sink, Time now);
  void send_ack(SegmentSink& sink, Seq32 seq, Time now);
  ByteRange send_data(SegmentSink& sink, StreamOffset begin, uint64_t max_bytes, Time now);
  void start_segment(wire::OutgoingSegment& out, Seq32 seq, Time now) const;
  void add_sack_blocks(wire::TcpOptions& options);
  void finish_segment(SegmentSink& sink, wire::OutgoingSegment& out);
  void note_upper_options(size_t bytes);
  size_t sack_bytes_wanted() const;
  uint32_t max_payload() const;
  uint32_t mss() const;
  uint64_t window_room() const { return window.room(snd_una, snd_nxt); }

  // ---- timers (timers.cc)
  void advance(Time now);
  Time next_deadline() const;
  void on_recovery_deadline(Time now);
  Duration patience() const;
  void on_persist_deadline(Time now);
  void on_keepalive_deadline(Time now);
  Time keepalive_deadline() const;
  Time user_timeout_deadline() const;
  void update_persist(Time now);
  void stop_persist();

  // ---- ICMP (icmp_input.cc)
  void on_icmp(const wire::IcmpError& error, Time now);
  void on_packet_too_big(const wire::IcmpError& error);

  Subflow& self;
  Upper& upper;
  ChunkPool& pool;
  SubflowConfig config;
  wire::FourTuple tuple;
  State state = State::kClosed;
  CloseReason close_reason = CloseReason::kNone;

  Handshake handshake;
  TimestampClock timestamps;
  LossRecovery recovery;
  BurstLimit bursts;
  SendWindow window;
  Receiver receiver;
  AckPolicy acks;
  RateLimit challenges;
  Persist persist;
  Keepalive keepalive;

  StreamOffset snd_una{1}, snd_nxt{1};  // as loss recovery has them, at hand
  StreamOffset end{1};                  // one past the last octet granted; the FIN's place once closing
  bool is_close_requested = false;      // no grants any more, FIN at `end`
  bool is_fin_sent = false;
  Time first_timeout_at{};  // of the series under way
  bool is_stalled = false;  // told the upper of a timeout, not yet of progress
  bool is_orphaned = false;
  bool is_tail_probe_due = false;
  bool is_probe_due = false;
  bool is_bare_ack_due = false;
  bool is_reset_due = false;
  std::optional<Seq32> stray_reset;  // RST for a segment that was not ours; we go on

  uint16_t upper_option_bytes = 0;  // most the upper added to a recent data segment
  uint16_t upper_option_bytes_period = 0;
  uint8_t upper_option_segments = 0;  // data segments in this period
  StreamOffset last_ack_sent;         // RFC 7323, 4.3
  uint16_t last_window_field = 0;
  Time closing_deadline = kNever;  // TIME-WAIT, orphaned FIN-WAIT-2
  Time last_received{};
  Time last_sent{};
  std::optional<int> soft_error;
  SubflowTotals totals;
};

}  // namespace braid::tcp
