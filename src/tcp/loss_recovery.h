// The sender's memory of what is on the wire, and what it concludes from ACKs and silence:
// SACK scoreboard (RFC 2018, 6675), RACK-TLP (RFC 8985), PRR (RFC 9937), RTO (RFC 6298), F-RTO (RFC 5682).
//
// Knows nothing of segments, options or what the bytes are: only ranges of stream offsets. A FIN is one octet
// of range. The SYN is the handshake's business (offset 0 is never seen here).
#pragma once

#include <boost/container/static_vector.hpp>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/sequence.h"
#include "base/time.h"
#include "tcp/congestion_control.h"
#include "tcp/rtt_estimator.h"

namespace braid::tcp {

struct RecoveryConfig {
  RtoLimits rto;
  bool is_sack_enabled = true;  // negotiated; without it duplicate ACKs are counted (RFC 5681, 6582)
  uint32_t mss_bytes = 1460;
  /// Ceiling of the backed-off RTO. An MPTCP subflow with live siblings sets this low (about 1 s): it is then
  /// a probe for the path's return. May be changed at any time.
  Duration rto_backoff_max = 120s;
};

struct ByteRange {
  StreamOffset begin, end;
  uint64_t size() const { return end - begin; }
  bool operator==(const ByteRange&) const = default;
};

/// One ACK, unwrapped and validated (una <= ack <= snd_max).
struct AckInput {
  Time now;
  StreamOffset ack;
  boost::container::static_vector<ByteRange, 4> sack;  // D-SACK (RFC 2883) included, in wire order
  std::optional<Duration> timestamp_rtt;  // from TSecr (RFC 7323, 4), if it acknowledged new data
  bool is_window_update = false;          // the window field changed: then never a duplicate ACK
  bool has_payload = false;               // likewise
  bool is_ecn_echo = false;
};

struct AckOutcome {
  uint64_t newly_acked_bytes = 0;  // cumulatively or by SACK
  bool did_advance = false;        // snd_una moved
  bool has_new_losses = false;     // poll_retransmission has something
  bool was_spurious = false;       // a timeout or recovery was undone
};

enum class TimeoutAction : uint8_t {
  kNone,       // nothing was due (a deadline moved)
  kReorder,    // RACK's reordering timer: losses were marked
  kTailProbe,  // send one segment of new data, or else the last sent range again (poll_tail_probe)
  kRto,        // everything outstanding was marked lost
};

class LossRecovery {
 public:
  LossRecovery(const RecoveryConfig& config, std::unique_ptr<CongestionControl> congestion_control);
  ~LossRecovery();

  // ---- getters
  uint64_t cwnd_bytes() const;
  uint64_t delivered_bytes() const;  ///< ever acknowledged, selectively or not
  uint64_t in_flight_bytes() const;  ///< "pipe": sent, not acked, not SACKed, not thought lost
  StreamOffset snd_una() const;
  StreamOffset snd_max() const;  ///< one past the highest octet ever sent
  bool has_outstanding() const;
  /// Octets that may go out now, new or again: cwnd less pipe, or what PRR allows in recovery. A multiple of
  /// the MSS, except for what F-RTO has left.
  uint64_t allowance_bytes() const;
  bool in_recovery() const;               ///< fast recovery or after a timeout
  uint32_t consecutive_timeouts() const;  ///< 0 as soon as anything is acknowledged
  /// Since when the oldest outstanding octet has been waiting without any progress; kNever if nothing waits.
  Time stalled_since() const;
  Time oldest_sent_at() const;  ///< when the oldest outstanding octet was last sent; kNever if nothing waits
  /// When the octet was last sent for which a peer that delays ACKs has to send one at once (RFC 5681, 4.2):
  /// of the oldest outstanding the first beyond one segment, or any if there are holes. kNever: none such.
  Time prompt_ack_sent_at() const;
  Time next_deadline() const;  ///< tail probe, reordering timer or RTO, whichever is armed; kNever
  const RttEstimator& rtt() const;
  Duration current_rto() const;  ///< with back-off
  CongestionControl& congestion_control();
  const CongestionControl& congestion_control() const;
  struct Totals {
    uint64_t retransmitted_bytes = 0, retransmissions = 0, timeouts = 0, tail_probes = 0, recoveries = 0,
             spurious = 0, dsacks = 0, reordering_seen = 0, sack_reneges = 0;
  };
  const Totals& totals() const;

  // ---- handle_*
  AckOutcome on_ack(const AckInput& input);
  /// `now` >= next_deadline().
  TimeoutAction on_deadline(Time now);
  /// A sample from the handshake, before any data.
  void on_handshake_rtt(Duration rtt, Time now);
  /// What the SYN carried and the handshake acknowledged (RFC 7413) is done with; before any other data.
  void begin_at(StreamOffset first);
  /// What the handshake negotiated; before any data.
  void set_sack_enabled(bool is_enabled);
  /// ICMP says a smaller segment fits, or options shrank it.
  void set_mss(uint32_t mss_bytes);
  /// The path drops segments larger than this: what went out larger goes again at once, and the window stays
  /// (RFC 1191, 6.5). Implies set_mss().
  void on_path_mtu_reduced(uint32_t mss_bytes);
  void set_rto_backoff_max(Duration max);
  /// Replaces the algorithm in mid-connection; cwnd and ssthresh start from the new one's own.
  void set_congestion_control(std::unique_ptr<CongestionControl> congestion_control);

  // ---- commands: what the sender did
  /// Call before asking for allowance_bytes() to send: after an idle time the window starts anew (RFC 5681,
  /// 4.1). on_sent() does it too, but then a burst of the old window is out already.
  void before_send(Time now);
  /// New octets [snd_max, snd_max + bytes) went out.
  void on_sent(uint64_t bytes, Time now);
  /// The application had nothing more to send though the window had room (for window validation). Ask for
  /// retransmissions once more afterwards: F-RTO (RFC 5682) holds them back for as long as new data may go.
  void on_application_limited();
  /// The range went out again (its segments are then in flight again). Part of what poll_retransmission gave.
  void on_retransmitted(ByteRange range, Time now);

  // ---- poll_*
  /// The next range to send again, oldest first, at most `max_bytes`; does not change anything until
  /// on_retransmitted. Ask while allowance_bytes() > 0 (after RTO and for the first of a recovery PRR allows
  /// one MSS).
  std::optional<ByteRange> poll_retransmission(uint64_t max_bytes) const;
  /// After kTailProbe, if there was no new data: the last outstanding segment (at most one MSS).
  std::optional<ByteRange> poll_tail_probe() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace braid::tcp
