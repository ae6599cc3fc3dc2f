// The maps between a subflow's stream and the data sequence space: what we sent (TxMaps) and what the peer
// told us (RxMaps). The papers' ds_map, RFC 8684's DSS mapping.
#pragma once

#include <cstdint>
#include <optional>

#include "base/chunk.h"
#include "base/ring.h"
#include "base/sequence.h"

namespace braid::mptcp {

/// [stream_begin, stream_begin + length) of the subflow carries [data_begin, data_begin + length).
struct DataMap {
  DataOffset data_begin;
  StreamOffset stream_begin;
  uint32_t length = 0;                 // payload octets; a DATA_FIN is not counted here
  std::optional<uint16_t> checksum{};  // computed once, repeated with every copy
  bool is_reinjection = false;
  bool has_data_fin = false;  // its DSS says that the octet after data_end() is the DATA_FIN

  DataOffset data_end() const { return data_begin + length; }
  StreamOffset stream_end() const { return stream_begin + length; }
};

/// Maps granted to one subflow, in stream order, until the subflow's snd_una has passed them.
class TxMaps {
 public:
  /// stream_begin equals the end of the last map. Adjacent data are not merged: one map, one DSS.
  void push(const DataMap& map);
  /// The map that holds `offset`; the usual case (last looked up, or the next) is O(1).
  DataMap* find(StreamOffset offset);
  /// Drops maps wholly below `snd_una`, oldest first; calls done(map) for each.
  template <class Done>
  void acknowledge(StreamOffset snd_una, Done&& done) {
    while (!maps_.empty() && maps_.front().stream_end() <= snd_una) {
      if (hint_ > 0) --hint_;
      done(maps_.pop_front());
    }
  }
  /// The only map, if it holds `at` and what is before it, becomes two; tells `done` of what it was.
  template <class Done>
  void split(StreamOffset at, Done&& done) {
    if (maps_.size() != 1 || at <= maps_.front().stream_begin || at >= maps_.front().stream_end()) return;
    done(maps_.front());
    DataMap rest = maps_.front();
    const auto first = static_cast<uint32_t>(at - rest.stream_begin);
    maps_.front().length = first;
    rest.data_begin += first;
    rest.stream_begin = at;
    rest.length -= first;
    maps_.push_back(rest);
  }
  bool empty() const { return maps_.empty(); }
  size_t size() const { return maps_.size(); }
  DataMap& operator[](size_t i) { return maps_[i]; }
  const DataMap& operator[](size_t i) const { return maps_[i]; }

 private:
  Ring<DataMap> maps_;
  size_t hint_ = 0;
};

/// A mapping the peer sent: kept from its DSS until the subflow has received all of it.
struct RxMap {
  DataOffset data_begin;
  StreamOffset stream_begin;
  uint32_t length = 0;  // payload octets
  std::optional<uint16_t> checksum{};
  bool has_data_fin = false;

  DataOffset data_end() const { return data_begin + length; }
  StreamOffset stream_end() const { return stream_begin + length; }
};

/// What a mapping turned out to be when it was added.
enum class MapResult : uint8_t {
  kOk,         // new
  kDuplicate,  // the same thing again: splitting copies options
  kOld,        // wholly below what the subflow has received
  kConflict,   // overlaps a known map and says otherwise
  kTooMany,    // the table is full
};

/// The peer's mappings on one subflow, by stream offset; bounded: kMaxMaps beyond the one that holds rcv_nxt.
class RxMaps {
 public:
  static constexpr size_t kMaxMaps = 4096;

  MapResult add(const RxMap& map, StreamOffset rcv_nxt);
  /// The map that holds `offset`.
  const RxMap* find(StreamOffset offset) const;
  /// The first map that begins after `offset` (unmapped bytes end there); nullptr if none is known.
  const RxMap* next_after(StreamOffset offset) const;
  /// Forgets maps wholly below `offset`.
  void acknowledge(StreamOffset offset);
  size_t size() const { return maps_.size(); }

 private:
  MapResult add_overlapping(const RxMap& map, size_t first, size_t last);
  void insert_at(size_t index, const RxMap& map);

  Ring<RxMap> maps_;  // sorted by stream_begin, disjoint
};

}  // namespace braid::mptcp
