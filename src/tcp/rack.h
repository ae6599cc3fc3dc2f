// RACK (RFC 8985, 6): a segment is lost if one sent sufficiently later has arrived. This is the clock of it:
// the most recently sent segment that arrived, and how much reordering to allow for.
#pragma once

#include "base/sequence.h"
#include "base/time.h"
#include "tcp/sent_queue.h"

namespace braid::tcp {

class Rack {
 public:
  /// RFC 8985, 6.2, steps 2 and 3. True: it had been overtaken. `echoed`: when, by the timestamp option, the
  /// segment that made the receiver send this ACK had been sent, as late as it can have been.
  bool on_delivered(const Delivery& delivery, Time now, Duration min_rtt, Time echoed);
  /// RFC 8985, 6.2, step 4: a retransmission was unnecessary; the window grows, at most once a round trip.
  void on_dsack(StreamOffset snd_una, StreamOffset snd_max);
  /// Another proof that segments overtake each other.
  void on_reordering() { has_reordering_ = true; }
  void on_recovery_end();

  /// RFC 8985, 6.2, step 4. `is_impatient`: in recovery, or with DupThresh segments SACKed.
  Duration reordering_window(Duration min_rtt, Duration srtt, bool is_impatient) const;
  bool has_sample() const { return transmission_ != 0; }
  /// Whether something sent after this has arrived.
  bool is_overtaken(const SentRecord& record) const { return record.was_sent_before(transmission_, end_); }
  Duration rtt() const { return rtt_; }
  bool has_reordering() const { return has_reordering_; }

 private:
  uint64_t transmission_ = 0;  // of the most recently sent segment that arrived, and its end
  StreamOffset end_;
  Duration rtt_{0};
  StreamOffset forward_ack_;  // highest octet known to have arrived
  StreamOffset dsack_round_;
  uint32_t window_quarters_ = 1;
  uint32_t recoveries_left_ = 0;  // until the window shrinks again
  bool has_reordering_ = false;
};

}  // namespace braid::tcp
