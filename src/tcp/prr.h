// Proportional Rate Reduction (RFC 9937, which replaces RFC 6937): how much to send on each ACK of a fast
// recovery, so that what is in flight goes down to ssthresh evenly and not by a pause and a burst.
#pragma once

#include <cstdint>

namespace braid::tcp {

class Prr {
 public:
  /// `recover_flight_bytes`: RecoverFS, what was in flight or delivered by the ACK that began it.
  void enter(uint64_t recover_flight_bytes);
  /// `is_safe`: the ACK moved snd_una and told of no further loss.
  void on_ack(uint64_t delivered_bytes, uint64_t in_flight_bytes, uint64_t ssthresh_bytes, uint32_t mss_bytes,
              bool is_safe);
  void on_sent(uint64_t bytes) { out_bytes_ += bytes; }
  uint64_t cwnd_bytes() const { return cwnd_bytes_; }

 private:
  uint64_t recover_flight_bytes_ = 0;
  uint64_t delivered_bytes_ = 0;  // prr_delivered
  uint64_t out_bytes_ = 0;        // prr_out
  uint64_t cwnd_bytes_ = 0;
};

}  // namespace braid::tcp
