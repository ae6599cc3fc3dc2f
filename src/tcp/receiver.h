// The receiving half of a subflow: what has come, what may come, and what to say about it in SACK blocks.
#pragma once

#include <algorithm>
#include <boost/container/static_vector.hpp>
#include <cstdint>
#include <optional>

#include "base/chunk.h"
#include "base/sequence.h"
#include "tcp/loss_recovery.h"
#include "tcp/out_of_order_queue.h"
#include "wire/tcp_segment.h"

namespace braid::tcp {

class Receiver {
 public:
  explicit Receiver(ChunkPool& pool) : queue_(pool) {}

  /// The peer's SYN came.
  void start(Seq32 initial_seq) {
    initial_seq_ = initial_seq;
    rcv_nxt_ = right_edge_ = StreamOffset(1);
  }

  // ---- getters
  Seq32 initial_seq() const { return initial_seq_; }
  StreamOffset rcv_nxt() const { return rcv_nxt_; }
  Seq32 wire_rcv_nxt() const { return wrap(rcv_nxt_, initial_seq_); }
  /// One past the highest octet that any window we advertised let in.
  StreamOffset right_edge() const { return right_edge_; }
  uint64_t window_bytes() const { return right_edge_ - rcv_nxt_; }
  bool has_hole() const { return !queue_.empty() || fin_at_.has_value(); }
  bool has_sack_blocks() const { return !queue_.empty() || duplicate_.has_value(); }
  /// At most; D-SACK included.
  size_t sack_block_count() const { return queue_.runs().size() + (duplicate_ ? 1 : 0); }
  bool is_fin_consumed() const { return is_fin_consumed_; }
  const OutOfOrderQueue& queue() const { return queue_; }

  StreamOffset unwrap(Seq32 seq) const { return braid::unwrap(seq, initial_seq_, rcv_nxt_); }
  /// RFC 9293, 3.10.7.4, first. Two things are let in beyond the letter of its table: a segment without text
  /// on the right edge itself, where a peer that has filled the window stands, and one at rcv_nxt when the
  /// window is shut, for its ACK.
  bool is_acceptable(StreamOffset begin, uint64_t sequence_length) const {
    if (sequence_length == 0) return rcv_nxt_ <= begin && begin <= right_edge_;
    return begin + sequence_length > rcv_nxt_ && (begin < right_edge_ || begin == rcv_nxt_);
  }

  // ---- what happens
  void on_window_advertised(uint64_t bytes) {
    if (rcv_nxt_ + bytes > right_edge_) right_edge_ = rcv_nxt_ + bytes;
  }
  /// Octets that were here already: reported once, in a D-SACK block (RFC 2883).
  void on_duplicate(ByteRange range);
  /// How many octets from rcv_nxt on are not here yet, at most `bytes`.
  uint64_t missing(uint64_t bytes) const {
    return queue_.empty() ? bytes : std::min<uint64_t>(bytes, queue_.front_begin() - rcv_nxt_);
  }
  /// That many octets from rcv_nxt on are the upper's now; none of them was here.
  void advance(uint64_t bytes) { rcv_nxt_ += bytes; }
  /// The next fragment that the queue held and that is in order now; rcv_nxt moves past it.
  std::optional<OutOfOrderQueue::Fragment> pop_in_order();
  OutOfOrderQueue::Insertion hold(StreamOffset begin, Slice slice) {
    return queue_.insert(begin, std::move(slice), window_bytes());
  }
  /// The peer's stream ends at `offset`. What it said first stands.
  void on_fin(StreamOffset offset);
  /// Where the stream ends, if that is known.
  std::optional<StreamOffset> fin_at() const { return fin_at_; }
  /// True once: the FIN is in order and was consumed.
  bool consume_fin();
  /// Forgets what it holds; the numbers stay.
  void clear() { queue_.clear(); }

  /// Blocks for one ACK, at most `max_blocks`: D-SACK first, then the newest runs (RFC 2018, 4).
  boost::container::static_vector<wire::SackBlock, 4> take_sack_blocks(size_t max_blocks);

 private:
  OutOfOrderQueue queue_;
  Seq32 initial_seq_;
  StreamOffset rcv_nxt_, right_edge_;
  std::optional<StreamOffset> fin_at_;
  bool is_fin_consumed_ = false;
  std::optional<ByteRange> duplicate_;
};

}  // namespace braid::tcp
