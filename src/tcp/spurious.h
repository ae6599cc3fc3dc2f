// Was the last timeout or recovery for nothing? Three witnesses: the timestamp echoed by the first ACK of
// repeated data (Eifel, RFC 3522), the arrival of originals after a timeout (F-RTO, RFC 5682), and D-SACKs
// for everything that was sent again (RFC 3708).
#pragma once

#include <cstdint>
#include <optional>

#include "base/sequence.h"
#include "base/time.h"

namespace braid::tcp {

/// What one ACK showed that matters here.
struct SpuriousEvidence {
  bool did_advance = false;            // snd_una moved
  bool is_duplicate = false;           // it did not, and the ACK says that something arrived
  bool has_original = false;           // octets sent before the event and never again arrived now
  bool covers_retransmission = false;  // octets sent again were cumulatively acknowledged
  bool covers_recovery_point = false;  // all that was sent before the event
  bool can_send_new = false;           // there may be new data to send
  std::optional<Time> echoed;          // latest time at which the segment that caused the ACK was sent
  uint64_t dsacked_bytes = 0;
};

class SpuriousDetector {
 public:
  /// Fast recovery begins.
  void on_recovery();
  /// The first timeout of a series, outside of any recovery.
  void on_timeout();
  /// From here on no undoing: the event built on another, or the window has been given up anyway.
  void cancel();
  void on_retransmitted(uint64_t bytes, Time now);
  void on_sent(uint64_t bytes) { new_bytes_ += bytes; }
  /// True: the event was spurious; it is then closed.
  bool on_ack(const SpuriousEvidence& evidence);
  /// There is nothing new to send, which F-RTO would have needed.
  void on_nothing_new();

  /// F-RTO has seen the first ACK: new data goes out now, and no retransmission, until the second has come.
  bool is_armed() const { return is_armed_; }
  bool is_probing_with_new_data() const { return frto_ == Frto::kSecondAck; }
  /// RFC 5682, 2.1, step 2b: two segments.
  uint64_t new_data_allowance(uint32_t mss_bytes) const {
    return new_bytes_ < 2 * uint64_t{mss_bytes} ? 2 * uint64_t{mss_bytes} - new_bytes_ : 0;
  }

 private:
  enum class Frto : uint8_t { kOff, kFirstAck, kSecondAck };
  bool step_frto(const SpuriousEvidence& evidence);

  Frto frto_ = Frto::kOff;
  bool is_armed_ = false;
  Time first_retransmission_ = kNever;
  uint64_t unrefuted_bytes_ = 0;  // sent again and not D-SACKed
  uint64_t new_bytes_ = 0;
};

}  // namespace braid::tcp
