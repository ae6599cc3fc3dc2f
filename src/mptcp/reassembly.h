// Data-level reassembly: batches (contiguous runs) in order, with a hint per subflow to the batch where its
// next segment should go, so that insertion is O(1) in the usual case (NSDI 2012, 4.3: "AllShortcuts"). A
// wrong hint costs a search in a tree of batches: with the two, no arrival order is expensive.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "base/chunk.h"
#include "base/ring.h"
#include "base/sequence.h"

namespace braid::mptcp {

/// In-order bytes wait here for the application, out-of-order ones for what is missing. Memory is bounded by
/// the window that the caller enforces: insert() refuses what lies beyond `limit`. Slices that would keep
/// much larger chunks alive are copied together, so what is held stays near four times the window at worst.
class Reassembly {
 public:
  static constexpr size_t kMaxHints = 64;

  explicit Reassembly(DataOffset first = DataOffset(1));
  ~Reassembly();

  // ---- getters
  DataOffset data_rcv_nxt() const;  ///< first octet not here: the DATA_ACK
  DataOffset data_read() const;     ///< first octet the application has not taken
  uint64_t readable_bytes() const;
  uint64_t out_of_order_bytes() const;  ///< beyond a hole
  size_t batches() const;               ///< runs beyond a hole
  /// Memory: chunk capacity behind what is held, each chunk counted once per slice.
  uint64_t held_bytes() const;
  struct Totals {
    uint64_t inserted_bytes = 0, duplicate_bytes = 0, beyond_limit_bytes = 0;
    uint64_t copied_bytes = 0;   // of the inserted: small slices of large chunks
    uint64_t refused_bytes = 0;  // out of order, and too costly to hold; to be sent again
    uint64_t in_order = 0;       // slices that extended what is readable
    uint64_t hint_hits = 0, hint_misses = 0, steps = 0;  // of the others; batches compared in searches
  };
  const Totals& totals() const;

  // ---- commands
  /// Puts octets [begin, begin + slice.size()) in, clipped to what is new and below `limit`. `hint`: index of
  /// the subflow, below kMaxHints. Returns how many octets were new.
  uint64_t insert(DataOffset begin, Slice slice, DataOffset limit, size_t hint);
  /// Copies out readable octets and forgets them.
  size_t read(std::span<std::byte> out);
  /// Copies out without forgetting.
  size_t peek(std::span<std::byte> out) const;
  /// The first readable run, without copying; empty if nothing is readable. Consume it with skip().
  std::span<const std::byte> front() const;
  /// As many readable runs as there are, or as `runs` has room for, for a gathering write; how many.
  size_t front(std::span<std::span<const std::byte>> runs) const;
  void skip(uint64_t bytes);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace braid::mptcp
