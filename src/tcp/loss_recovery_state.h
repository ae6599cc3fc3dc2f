// The inside of LossRecovery, shared by its three .cc files: state and commands, ACKs, timers.
#pragma once

#include <memory>

#include "tcp/loss_recovery.h"
#include "tcp/prr.h"
#include "tcp/rack.h"
#include "tcp/sent_queue.h"
#include "tcp/spurious.h"
#include "tcp/tail_probe.h"

namespace braid::tcp {

struct LossRecovery::State {
  enum class Phase : uint8_t {
    kOpen,
    kRecovery,  // fast recovery: PRR says how much goes out
    kLoss,      // after a timeout: slow start
  };

  /// What one ACK has shown so far.
  struct Round {
    explicit Round(const AckInput& ack_input) : input(ack_input) {}
    const AckInput& input;
    uint64_t prior_flight_size = 0;  // outstanding before, SACKed or not
    uint64_t prior_in_flight = 0;
    uint64_t prior_sacked = 0;
    uint64_t prior_lost = 0;
    bool did_advance = false;
    bool is_duplicate = false;     // a duplicate ACK in the sense of RFC 5681, 2
    uint64_t delivered_bytes = 0;  // newly acknowledged, or by a duplicate ACK's count
    uint64_t acked_bytes = 0;      // newly acknowledged, cumulatively or by SACK
    uint64_t credited_bytes = 0;   // of these, what had been in flight: congestion control's
    bool has_sacked = false;
    bool is_end_of_recovery = false;
    bool has_original = false;
    bool covers_retransmission = false;
    std::optional<ByteRange> dsack;
    std::optional<Time> echoed;
    Time oldest_sent = kNever;         // of what was acknowledged cumulatively, and sent once
    Time youngest_sent = Time::min();  // of everything newly acknowledged that was sent once
  };

  State(const RecoveryConfig& recovery_config, std::unique_ptr<CongestionControl> algorithm);

  uint64_t in_flight_bytes() const;
  /// Whatever the RTO depends on has changed.
  void update_rto();
  Time rto_deadline() const { return queue.empty() ? kNever : rto_from + rto; }
  Time probe_deadline() const;
  LossSample loss_sample(Time now, uint64_t flight_size) const { return {now, flight_size, rtt.srtt()}; }

  void note_window_use();

  // loss_recovery_ack.cc, in the order in which on_ack runs them
  void take_cumulative(Round& round);
  void take_sacks(Round& round);
  void take_delivery(Round& round, const Delivery& delivery, bool is_cumulative);
  void take_dsack(Round& round);
  void take_duplicate(Round& round);
  void sample_rtt(const Round& round);
  void close_probe(const Round& round);
  bool undo_if_spurious(const Round& round);
  void leave_recovery(Round& round);
  void detect_losses(Round& round);
  void respond(const Round& round);
  void restart_timers(const Round& round);

  void rack_detect(Time now);
  void enter_recovery(Time now, uint64_t flight_size, uint64_t recover_flight);
  bool is_cwnd_limited() const;

  // loss_recovery_timers.cc
  TimeoutAction on_reorder_deadline(Time now);
  void on_timeout(Time now);

  RecoveryConfig config;
  std::unique_ptr<CongestionControl> cc;
  RttEstimator rtt;
  SentQueue queue{StreamOffset(1)};
  Rack rack;
  Prr prr;
  TailProbe probe;
  SpuriousDetector spurious;
  Totals totals;

  Phase phase = Phase::kOpen;
  StreamOffset recovery_point;       // snd_max when the current or last episode began
  StreamOffset ecn_point;            // no second reaction to ECN before this is acknowledged
  uint32_t timeouts = 0;             // consecutive
  bool must_retransmit = false;      // after a timeout: one segment whatever is in flight
  uint32_t duplicate_acks = 0;       // without SACK
  uint64_t duplicate_ack_bytes = 0;  // without SACK: what duplicate ACKs say has left the network

  Time progress_at = kNever;  // last time that anything was acknowledged, or sent on an empty queue
  Time last_sent_at = kNever;
  Duration rto{0};           // with back-off
  Time rto_from = kNever;    // the RTO runs from here while anything is outstanding
  Time probe_from = kNever;  // the probe timeout runs from here while one is possible
  Time reorder_deadline = kNever;
  Time renege_deadline = kNever;

  // How full the window was, this round trip (RFC 7661's question).
  StreamOffset limited_until;
  uint64_t max_in_flight = 0;
  bool is_window_full = false;
  bool is_application_limited = false;
};

}  // namespace braid::tcp
