// Text that came before its turn: fragments of the packets it came in, sorted and disjoint, until the hole
// before them is filled.
#pragma once

#include <boost/container/static_vector.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/chunk.h"
#include "base/ring.h"
#include "base/sequence.h"
#include "tcp/loss_recovery.h"

namespace braid::tcp {

/// Where two copies of an octet overlap, the first one stays. Memory is bounded whatever the peer sends: by
/// the window (the caller clips to it), by the number of fragments, and because a small slice of a large
/// chunk is copied into a chunk of its own size.
class OutOfOrderQueue {
 public:
  /// Fragments that are always allowed, and octets of window for each one beyond that.
  static constexpr size_t kFreeFragments = 1024;
  static constexpr uint64_t kBytesPerFragment = 256;

  explicit OutOfOrderQueue(ChunkPool& pool) : pool_(pool) {}

  struct Fragment {
    StreamOffset begin;
    Slice slice;
    StreamOffset end() const { return begin + slice.size(); }
  };
  struct Insertion {
    uint64_t new_bytes = 0;
    std::optional<ByteRange> duplicate;  // the first run of octets that were here already
  };

  bool empty() const { return fragments_.empty(); }
  size_t fragments() const { return fragments_.size(); }
  uint64_t bytes() const { return bytes_; }
  /// Where the first fragment begins; not empty.
  StreamOffset front_begin() const { return fragments_.front().begin; }
  /// Contiguous runs, in stream order.
  const std::vector<ByteRange>& runs() const { return runs_; }
  /// The run that holds `offset`.
  std::optional<ByteRange> run_at(StreamOffset offset) const;
  /// The most recently changed runs, newest first (RFC 2018, 4), at most `max_runs`.
  boost::container::static_vector<ByteRange, 4> recent_runs(size_t max_runs) const;

  /// `window_bytes`: how far the stream may reach, from rcv_nxt; more of it allows more fragments.
  Insertion insert(StreamOffset begin, Slice slice, uint64_t window_bytes);
  /// Takes the fragment that begins at `rcv_nxt`, if it is there. Nothing here lies before rcv_nxt.
  std::optional<Fragment> pop(StreamOffset rcv_nxt);
  void clear();

 private:
  size_t first_ending_after(StreamOffset offset) const;
  void put(size_t index, StreamOffset begin, Slice slice);
  void add_to_runs(ByteRange range);
  void cut_runs(StreamOffset rcv_nxt);

  ChunkPool& pool_;
  Ring<Fragment> fragments_;
  std::vector<ByteRange> runs_;
  boost::container::static_vector<StreamOffset, 4> recent_;  // an octet of each recently changed run
  uint64_t bytes_ = 0;
};

}  // namespace braid::tcp
