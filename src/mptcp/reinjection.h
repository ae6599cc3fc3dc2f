// Data that were given to one subflow and wait to be given to another: its path is silent or gone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/sequence.h"

namespace braid::mptcp {

struct DataRange {
  DataOffset begin, end;
  uint64_t size() const { return end - begin; }
};

/// Ranges by where they were sent before. The oldest data are handed out first; what was DATA_ACKed meanwhile
/// falls away.
class ReinjectionQueue {
 public:
  /// The source of a range that belongs to no living subflow: any may take it.
  static constexpr int kNobody = -1;

  bool empty() const { return ranges_.empty(); }
  /// Octets that `taker` could take, at most: overlaps count twice.
  uint64_t bytes_for(int taker) const;

  void push(DataRange range, int source);
  /// The source's path is back: it will deliver them itself.
  void forget(int source);
  /// The source is gone: its ranges are anybody's.
  void orphan(int source);
  /// The oldest range that `taker` could take, from `una` on.
  std::optional<DataRange> first_for(int taker, DataOffset una) const;
  /// Up to `max_bytes` of the oldest range that `taker` did not send itself, from `una` on.
  std::optional<DataRange> take(int taker, DataOffset una, uint64_t max_bytes);
  void clear() { ranges_.clear(); }

 private:
  struct Entry {
    DataRange range;
    int source;
  };
  std::vector<Entry> ranges_;  // sorted by begin
};

}  // namespace braid::mptcp
