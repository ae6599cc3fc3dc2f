// Segments that belong to no subflow: resets for strangers, ACKs of TIME-WAIT, SYN/ACKs with a cookie.
#pragma once

#include <optional>

#include "base/ring.h"
#include "wire/tcp_segment.h"

namespace braid::host {

/// What such a segment consists of; far smaller than an OutgoingSegment.
struct Reply {
  /// Of a SYN/ACK without a connection behind it (SYN cookies).
  struct SynAck {
    uint16_t mss = 0;
    std::optional<uint8_t> window_scale;
    bool is_sack_permitted = false;
    std::optional<wire::MpCapable> capable;
  };
  wire::FourTuple tuple;
  Seq32 seq, ack;
  wire::TcpFlags flags;
  uint16_t window = 0;
  std::optional<wire::Timestamps> timestamps;
  std::optional<wire::MpTcpRst> reset_reason;
  std::optional<SynAck> syn_ack;

  wire::OutgoingSegment to_segment() const {
    wire::OutgoingSegment segment;
    segment.tuple = tuple;
    segment.seq = seq;
    segment.ack = ack;
    segment.flags = flags;
    segment.window = window;
    segment.options.timestamps = timestamps;
    if (reset_reason) segment.options.mptcp.push_back(*reset_reason);
    if (syn_ack) {
      segment.options.mss = syn_ack->mss;
      segment.options.window_scale = syn_ack->window_scale;
      segment.options.sack_permitted = syn_ack->is_sack_permitted;
      if (syn_ack->capable) segment.options.mptcp.push_back(*syn_ack->capable);
    }
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
