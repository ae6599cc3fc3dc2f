// Runs: contiguous received octets as a chain of slices, with nodes from a common pool. Reassembly's inside.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/chunk.h"
#include "base/sequence.h"

namespace braid::mptcp {

/// [begin, end) and the chain of slices that holds it. The links live in a RunStore.
struct Run {
  DataOffset begin, end;
  uint32_t head, tail;  // only meaningful when not empty
  bool empty() const { return begin == end; }
  uint64_t size() const { return end - begin; }
};

/// The slices of all runs of one connection, and what they hold in memory.
class RunStore {
 public:
  /// Adds a slice at the end (or the beginning) of a run. A slice that is a small part of its chunk is
  /// copied: together with its neighbours at the end of a run, alone at the beginning.
  void append(Run& run, Slice slice);
  void prepend(Run& run, Slice slice);
  /// Moves all of `source`, which begins where `target` ends, to the end of `target`.
  void splice(Run& target, Run& source);
  void drop_front(Run& run, uint64_t bytes);
  /// Copies a run into chunks that it fills, less than the smallest chunk's size being left over.
  void compact(Run& run);

  size_t copy_out(const Run& run, std::span<std::byte> out) const;
  size_t slices_of(const Run& run, std::span<std::span<const std::byte>> out) const;

  uint64_t held_bytes() const { return held_bytes_; }
  uint64_t copied_bytes() const { return copied_bytes_; }
  /// Nothing is held: gives back nodes that a burst needed and the usual traffic does not.
  void on_drained();

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Node {
    Slice slice;
    uint32_t next = kNone;
    bool is_ours = false;  // we allocated the chunk: what lies behind the slice is free to fill
  };
  uint32_t take_node(Slice slice);
  void free_node(uint32_t index);
  void push_back(Run& run, uint32_t index);
  size_t tail_room(const Run& run) const;
  void append_copy(Run& run, std::span<const std::byte> bytes, size_t chunk_bytes, ChunkPool& pool);

  std::vector<Node> nodes_;
  uint32_t free_ = kNone;
  uint32_t in_use_ = 0, peak_ = 0, quiet_drains_ = 0;
  uint64_t held_bytes_ = 0, copied_bytes_ = 0;
};

}  // namespace braid::mptcp
