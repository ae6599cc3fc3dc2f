// Congestion control: a pure sink of events that answers with a window. What is lost, and when, is
// LossRecovery's business; how fast to send into the loss is PRR's; this only says how large the window is.
//
// To add one: derive from this or from Reno (reno.h, the smallest), and add a line to the table in
// congestion_control.cc; or register it from a plug-in (docs/extending.md).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/sequence.h"
#include "base/time.h"

namespace braid::tcp {

/// What an ACK of new data told.
struct AckSample {
  Time now;
  uint64_t acked_bytes = 0;             // newly acknowledged, cumulatively or by SACK
  uint64_t in_flight_before_bytes = 0;  // before this ACK
  bool is_cwnd_limited = false;         // the window was full, not the application empty (RFC 7661's concern)
  Duration rtt{0};                      // this ACK's sample; 0: none
  Duration srtt{0};                     // smoothed; 0: none yet
  Duration min_rtt{0};                  // least seen; 0: none yet
  StreamOffset snd_una, snd_nxt;
};

/// State at a congestion signal.
struct LossSample {
  Time now;
  uint64_t in_flight_bytes = 0;  // FlightSize (RFC 5681, 2): sent and not cumulatively acknowledged
  Duration srtt{0};
};

/// RFC 6928.
inline constexpr uint32_t kInitialWindowSegments = 10;

/// The window that a reduction starts from: what was in use (RFC 5681, 3.1), but not less than anyone may
/// send at once anyway. Without that floor, a loss in a short exchange would ruin the long transfer after it.
constexpr uint64_t window_in_use_bytes(const LossSample& sample, uint64_t cwnd_bytes, uint32_t mss_bytes) {
  const uint64_t initial = uint64_t{kInitialWindowSegments} * mss_bytes;
  const uint64_t used = sample.in_flight_bytes > initial ? sample.in_flight_bytes : initial;
  return used < cwnd_bytes ? used : cwnd_bytes;
}

class CongestionControl {
 public:
  virtual ~CongestionControl() = default;
  virtual std::string_view name() const = 0;

  /// New data acknowledged outside of fast recovery.
  virtual void on_ack(const AckSample& sample) = 0;
  /// Entering fast recovery, once per window: reduces ssthresh and cwnd.
  virtual void on_congestion(const LossSample& sample) = 0;
  /// Retransmission timeout (RFC 5681, 3.1): cwnd becomes one segment; ssthresh falls on the first of a
  /// series only, and not when it fell already in the recovery that the timeout ends.
  virtual void on_timeout(const LossSample& sample, bool is_first) = 0;
  /// The last reduction was for nothing (F-RTO, Eifel): what it was before.
  virtual void on_spurious() = 0;
  /// Nothing was sent for longer than an RTO (RFC 5681, 4.1).
  virtual void on_idle_restart(Duration idle) = 0;
  virtual void set_mss(uint32_t mss_bytes) = 0;
  /// First RTT known, connection established: some algorithms start their clocks here.
  virtual void on_established(Time /*now*/) {}
  /// The subflow is gone: a coupled algorithm leaves its group.
  virtual void on_closed() {}

  /// It takes another algorithm's place while data flow, and goes on with that one's window. By default it
  /// begins with the initial window instead.
  virtual void take_over(uint64_t /*cwnd_bytes*/, uint64_t /*ssthresh_bytes*/) {}

  virtual uint64_t cwnd_bytes() const = 0;
  virtual uint64_t ssthresh_bytes() const = 0;
  bool in_slow_start() const { return cwnd_bytes() < ssthresh_bytes(); }
};

using CongestionControlFactory = std::function<std::unique_ptr<CongestionControl>(uint32_t mss_bytes)>;

/// Uncoupled algorithms by name ("reno", "cubic"). Coupled ones need the connection and live in
/// mptcp/coupled. Nothing for an unknown name.
std::unique_ptr<CongestionControl> make_congestion_control(std::string_view name, uint32_t mss_bytes);
std::vector<std::string> congestion_control_names();
/// Adds one to those that a process knows; for plug-ins, before any host is made. False: the name is taken.
/// (Who registers sees to it that no coupled algorithm has the name.)
bool register_congestion_control(std::string_view name, CongestionControlFactory factory);

}  // namespace braid::tcp
