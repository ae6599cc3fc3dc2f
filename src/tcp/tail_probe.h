// Tail loss probe (RFC 8985, 7): after two round trips of silence one segment is sent, so that the loss of a
// tail is found by its SACK and not by a timeout.
#pragma once

#include <cstdint>

#include "base/sequence.h"
#include "base/time.h"

namespace braid::tcp {

class TailProbe {
 public:
  /// RFC 8985, 7.2.
  static Duration timeout(Duration srtt, bool has_one_segment_in_flight) {
    return 2 * srtt + (has_one_segment_in_flight ? kMaxAckDelay : kSpacing);
  }

  bool is_due() const { return is_due_; }
  /// A probe was sent and its fate is open: no other until then.
  bool is_open() const { return end_ != StreamOffset{}; }

  /// The timer fired; whatever goes out next is the probe. `flight_bytes`: what was outstanding.
  void on_fired(uint64_t flight_bytes) {
    is_due_ = true;
    flight_bytes_ = flight_bytes;
  }
  /// The flight in which the probe found a loss.
  uint64_t flight_bytes() const { return flight_bytes_; }
  /// It was new data, or octets sent again. `snd_max`: after it.
  void on_sent(StreamOffset snd_max, bool is_retransmission) {
    is_due_ = false;
    end_ = snd_max;
    is_retransmission_ = is_retransmission;
  }
  void cancel() {
    is_due_ = false;
    end_ = StreamOffset{};
  }
  /// RFC 8985, 7.4.2. True: the probe has repaired a loss, to which congestion control has to react.
  bool on_ack(StreamOffset ack, bool has_dsack, bool is_plain_duplicate) {
    is_due_ = false;
    if (!is_open() || ack < end_) return false;
    if (!is_retransmission_ || has_dsack) {
      end_ = StreamOffset{};
      return false;
    }
    if (ack > end_) {
      end_ = StreamOffset{};
      return true;
    }
    if (is_plain_duplicate) end_ = StreamOffset{};
    return false;
  }

 private:
  static constexpr Duration kMaxAckDelay = 200ms;  // the peer's, at worst
  static constexpr Duration kSpacing = 2ms;        // timers and ACKs have a granularity too

  bool is_due_ = false;
  bool is_retransmission_ = false;
  uint64_t flight_bytes_ = 0;
  StreamOffset end_;  // snd_max after the probe; 0: none
};

}  // namespace braid::tcp
