// The one receive window of a connection, and how large its buffer should be (RFC 8684, 3.3.4 and 3.3.5;
// NSDI 2012, 4.2: buffers of 2 * sum(bandwidth) * largest RTT).
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/sequence.h"
#include "base/time.h"

namespace braid::mptcp {

/// Everything between what the application has read and the right edge may be in memory at once; the edge
/// never moves back. Out-of-order octets lie below the edge: they need no account of their own.
class ReceiveBuffer {
 public:
  ReceiveBuffer(uint64_t initial_bytes, uint64_t ceiling_bytes, bool autotune)
      : size_bytes_(std::min(initial_bytes, ceiling_bytes)),
        ceiling_bytes_(ceiling_bytes),
        is_autotuned_(autotune),
        edge_(DataOffset(1) + size_bytes_) {}

  // ---- getters
  uint64_t size_bytes() const { return size_bytes_; }
  DataOffset edge() const { return edge_; }
  /// As far as the peer was told.
  DataOffset advertised() const { return advertised_; }
  uint64_t window_bytes(DataOffset rcv_nxt) const { return edge_ > rcv_nxt ? edge_ - rcv_nxt : 0; }
  /// Whether the peer should hear of the window without waiting for an ACK that goes anyway: it has grown
  /// by much of the buffer (RFC 9293, 3.8.6.2.2, and not so often that reading costs an ACK each).
  bool is_update_due(DataOffset rcv_nxt, uint64_t mss) const {
    if (edge_ <= advertised_) return false;
    const uint64_t growth = edge_ - advertised_;
    const uint64_t known = advertised_ > rcv_nxt ? advertised_ - rcv_nxt : 0;
    return growth >= std::min(size_bytes_ / 2, 2 * mss) && (growth >= size_bytes_ / 4 || known <= 4 * mss);
  }
  /// The peer believes that it may send nothing worth sending.
  bool is_closed_to_peer(DataOffset rcv_nxt, uint64_t mss) const { return advertised_ < rcv_nxt + mss; }

  // ---- handle_*
  void on_advertised() { advertised_ = edge_; }
  /// The application took `bytes`, up to `read`; `rtt`: the largest of the subflows', 0 if unknown.
  void on_read(DataOffset read, uint64_t bytes, uint64_t mss, Duration rtt, Time now);
  /// So much lies beyond a hole: a path is slower, or repairs a loss, and the others' data wait for it here.
  /// What the application takes in a round trip says nothing of that.
  void on_held(DataOffset read, uint64_t out_of_order_bytes, uint64_t mss);
  /// Fixed from now on. The edge stays where it is when this is less.
  void set_size(uint64_t bytes, DataOffset read, uint64_t mss);

 private:
  void raise_edge(DataOffset read, uint64_t mss);
  void tune(uint64_t mss, Duration rtt, Time now);

  uint64_t size_bytes_, ceiling_bytes_;
  bool is_autotuned_;
  DataOffset edge_, advertised_;
  // Dynamic right-sizing: what the application takes in one round trip.
  Time interval_began_{};
  uint64_t interval_bytes_ = 0, most_bytes_ = 0;
};

}  // namespace braid::mptcp
