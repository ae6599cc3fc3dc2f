// Segments that belong to no subflow: resets for strangers, ACKs of TIME-WAIT.
#pragma once

#include <optional>

#include "base/ring.h"
#include "wire/tcp_segment.h"

namespace braid::host {

/// What such a segment consists of; far smaller than an OutgoingSegment.
struct Reply {
  wire::FourTuple tuple;
  Seq32 seq, ack;
  wire::TcpFlags flags;
  uint16_t window = 0;
  std::optional<wire::Timestamps> timestamps;
  std::optional<wire::MpTcpRst> reset_reason;

  wire::OutgoingSegment to_segment() const {
    wire::OutgoingSegment segment;
    segment.tuple = tuple;
    segment.seq = seq;
    segment.ack = ack;
    segment.flags = flags;
    segment.window = window;
    segment.options.timestamps = timestamps;
    if (reset_reason) segment.options.mptcp.push_back(*reset_reason);
    return segment;
  }
};

/// Replies until the next transmit(); bounded, the rest is dropped (whoever wants an answer asks again).
class ReplyQueue {
 public:
  static constexpr size_t kMax = 1024;
  bool push(const Reply& reply) {
    if (replies_.size() >= kMax) return false;
    replies_.push_back(reply);
    return true;
  }
  bool empty() const { return replies_.empty(); }
  Reply pop() { return replies_.pop_front(); }

 private:
  Ring<Reply> replies_;
};

}  // namespace braid::host
