// The connection's send buffer: the application's bytes, once, indexed by data offset (FreeBSD report,
// III.C).
#pragma once

#include <cstdint>
#include <span>

#include "base/chunk.h"
#include "base/ring.h"
#include "base/sequence.h"
#include "tcp/upper.h"

namespace braid::mptcp {

/// Bytes leave it when they are DATA_ACKed *and* no map refers to them. What the application sees as
/// occupancy is logical (not yet DATA_ACKed); memory held is accounted apart.
class SendBuffer {
 public:
  explicit SendBuffer(ChunkPool& pool, DataOffset first = DataOffset(1));

  // ---- getters
  DataOffset data_una() const { return data_una_; }              ///< first octet not DATA_ACKed
  DataOffset end() const { return end_; }                        ///< one past the last octet
  uint64_t occupancy_bytes() const { return end_ - data_una_; }  ///< logical (sb_cc)
  uint64_t held_bytes() const { return held_bytes_; }  ///< in memory, chunk slack included (sb_actual)

  uint64_t shelved_bytes() const { return shelved_bytes_; }  ///< of them: DATA_ACKed, but maps refer to them

  // ---- commands
  /// Copies bytes to the end; small writes share chunks.
  void append(std::span<const std::byte> bytes);
  /// Takes the slice without copying, unless it is a small part of its chunk, which it would keep alive.
  void append(Slice slice);
  /// DATA_ACK: octets below are done with, unless maps refer to them. Not beyond end(); never back.
  void acknowledge(DataOffset data_ack);
  /// A map refers to [begin, end) from now on. Every retain is undone by one release with the same range.
  void retain(DataOffset begin, DataOffset end);
  void release(DataOffset begin, DataOffset end);
  /// The octets [begin, begin + max_bytes), or fewer when the payload has no room for more slices; false if
  /// they are no longer (or not yet) here.
  bool fetch(DataOffset begin, uint32_t max_bytes, tcp::SegmentPayload& payload) const;

 private:
  struct Piece {
    Slice slice;
    DataOffset begin;
    uint32_t references = 0;
    DataOffset end() const { return begin + slice.size(); }
  };
  using Pieces = Ring<Piece>;
  void push(Slice slice);
  size_t tail_room() const;
  size_t locate(DataOffset offset) const;
  template <class Visit>
  void visit(DataOffset begin, DataOffset end, Visit&& visitor);
  void sweep();

  ChunkPool& pool_;
  Pieces pieces_;            // contiguous, from the piece that holds data_una_ to end_
  mutable size_t hint_ = 0;  // the piece looked up last: the next one is there or right behind
  // Pieces below data_una_ that maps still refer to, sorted, with gaps: a path that hangs holds only its own.
  Pieces shelved_;
  size_t shelved_dead_ = 0;  // of them: references gone, slice dropped, not yet swept out
  uint64_t held_bytes_ = 0, shelved_bytes_ = 0;
  bool is_tail_ours_ = false;  // we allocated the last piece's chunk: what lies behind its slice is free
  DataOffset data_una_, end_;
};

}  // namespace braid::mptcp
