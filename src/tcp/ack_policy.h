// When to acknowledge: RFC 9293, 3.8.6.3 (delayed ACKs), RFC 5681, 4.2.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"

namespace braid::tcp {

/// Counts what came since our last ACK, and says when one is owed.
class AckPolicy {
 public:
  /// Segments acknowledged at once at the start of a connection, when the peer's window is small and every
  /// ACK lets it grow.
  static constexpr uint32_t kQuickSegments = 16;
  /// More do not make the peer any wiser.
  static constexpr uint32_t kMaxDuplicates = 8;

  explicit AckPolicy(Duration delay) : delay_(delay) {}

  /// In-order text, `segments` of it as counted on the wire.
  void on_text(uint32_t segments, Time now) {
    pending_ += segments;
    if (quick_left_ > 0) {
      quick_left_ -= segments < quick_left_ ? segments : quick_left_;
      is_due_ = true;
    } else if (pending_ >= 2) {
      is_due_ = true;
    } else if (deadline_ == kNever) {
      deadline_ = now + delay_;
    }
  }
  /// FIN, out of order, unacceptable, or somebody asked.
  void request() { is_due_ = true; }
  /// Out of order: without SACK the peer counts ACKs, so each segment owes one of its own.
  void request_duplicates(uint32_t segments) {
    is_due_ = true;
    duplicates_ = std::min(duplicates_ + segments, kMaxDuplicates);
  }
  /// rcv_nxt moves on: what it was before is not worth repeating.
  void on_hole_filled() {
    is_due_ = true;
    duplicates_ = 0;
  }
  /// Anything with the ACK bit went out.
  void on_ack_sent() {
    pending_ = 0;
    if (duplicates_ > 0 && --duplicates_ > 0) return;
    is_due_ = false;
    deadline_ = kNever;
  }
  /// True when the delay of a delayed ACK has just run out.
  bool on_deadline(Time now) {
    if (deadline_ > now) return false;
    deadline_ = kNever;
    is_due_ = true;
    return true;
  }

  bool is_due() const { return is_due_; }
  Time next_deadline() const { return is_due_ ? kNever : deadline_; }

 private:
  Duration delay_;
  uint32_t pending_ = 0;
  uint32_t duplicates_ = 0;
  uint32_t quick_left_ = kQuickSegments;
  bool is_due_ = false;
  Time deadline_ = kNever;
};

}  // namespace braid::tcp
