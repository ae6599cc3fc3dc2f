// The window that the peer advertises: RFC 9293, 3.10.7.4 (SND.WND, SND.WL1, SND.WL2) and 3.8.6.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/sequence.h"

namespace braid::tcp {

class SendWindow {
 public:
  /// From the segment that ended the handshake.
  void start(uint64_t bytes, StreamOffset seq, StreamOffset ack) {
    bytes_ = max_bytes_ = bytes;
    last_seq_ = seq;
    last_ack_ = ack;
  }
  /// True if the window changed; an older segment than the last that was used changes nothing.
  bool update(uint64_t bytes, StreamOffset seq, StreamOffset ack) {
    if (last_seq_ > seq || (last_seq_ == seq && last_ack_ > ack)) return false;
    last_seq_ = seq;
    last_ack_ = ack;
    const bool is_changed = bytes != bytes_;
    bytes_ = bytes;
    max_bytes_ = std::max(max_bytes_, bytes);
    return is_changed;
  }

  uint64_t bytes() const { return bytes_; }
  uint64_t max_bytes() const { return max_bytes_; }
  /// Octets that may still be sent; 0 also when the peer took its right edge back.
  uint64_t room(StreamOffset snd_una, StreamOffset snd_nxt) const {
    const uint64_t used = snd_nxt - snd_una;
    return bytes_ > used ? bytes_ - used : 0;
  }

 private:
  uint64_t bytes_ = 0;
  uint64_t max_bytes_ = 0;  // ever seen: RFC 5961, 5.2, and half of it for silly-window avoidance
  StreamOffset last_seq_, last_ack_;
};

}  // namespace braid::tcp
