// Data-level reassembly: a list of batches (contiguous runs), with a hint per subflow to the batch where its
// next segment should go, so that insertion is O(1) in the usual case (NSDI 2012, 4.3: "AllShortcuts").
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
/// the window that the caller enforces: insert() refuses what lies beyond `limit`.
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
  uint64_t held_bytes()
      const;  ///< memory: chunk capacity behind what is held, each chunk counted once per slice
  struct Totals {
    uint64_t inserted_bytes = 0, duplicate_bytes = 0, beyond_limit_bytes = 0, hint_hits = 0, hint_misses = 0,
             steps = 0;
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
  /// Up to `max_slices` readable runs, for a gathering write.
  size_t front(std::span<std::span<const std::byte>> runs) const;
  void skip(uint64_t bytes);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace braid::mptcp
