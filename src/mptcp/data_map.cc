#include "mptcp/data_map.h"

#include <algorithm>

#include "base/check.h"

namespace braid::mptcp {

namespace {

/// The first of `maps`, sorted and disjoint, that ends after `offset`; size() if there is none.
template <class Maps>
size_t first_map_ending_after(const Maps& maps, StreamOffset offset) {
  size_t low = 0, high = maps.size();
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (maps[middle].stream_end() <= offset)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/// Same distance between data and stream: the two say the same of every octet they share.
bool is_same_correspondence(const RxMap& a, const RxMap& b) {
  return a.data_begin.value() - a.stream_begin.value() == b.data_begin.value() - b.stream_begin.value();
}

}  // namespace

void TxMaps::push(const DataMap& map) {
  BRAID_CHECK(map.length > 0);
  BRAID_CHECK(maps_.empty() || maps_.back().stream_end() == map.stream_begin);
  maps_.push_back(map);
}

DataMap* TxMaps::find(StreamOffset offset) {
  const auto holds = [&](size_t i) {
    return i < maps_.size() && maps_[i].stream_begin <= offset && offset < maps_[i].stream_end();
  };
  if (!holds(hint_)) {
    hint_ = holds(hint_ + 1) ? hint_ + 1 : first_map_ending_after(maps_, offset);
    if (!holds(hint_)) {
      hint_ = 0;
      return nullptr;
    }
  }
  return &maps_[hint_];
}

MapResult RxMaps::add(const RxMap& map, StreamOffset rcv_nxt) {
  // Positions come from unwrapping what the peer wrote: one before the start of a space is a huge value.
  constexpr uint64_t kHighest = UINT64_MAX / 2;
  if (map.stream_begin.value() > kHighest || map.data_begin.value() > kHighest) return MapResult::kConflict;
  if (map.length == 0 || map.stream_end() <= rcv_nxt) return MapResult::kOld;

  const bool is_append = maps_.empty() || maps_.back().stream_end() <= map.stream_begin;
  const size_t first = is_append ? maps_.size() : first_map_ending_after(maps_, map.stream_begin);
  size_t last = first;  // one past the last that overlaps
  while (last < maps_.size() && maps_[last].stream_begin < map.stream_end()) ++last;
  if (first != last) return add_overlapping(map, first, last);
  // What the subflow waits for always has room: it is what lets the others go. Of disjoint maps one holds it.
  if (maps_.size() >= kMaxMaps && map.stream_begin > rcv_nxt) return MapResult::kTooMany;
  insert_at(first, map);
  return MapResult::kOk;
}

MapResult RxMaps::add_overlapping(const RxMap& map, size_t first, size_t last) {
  bool is_checksummed = map.checksum.has_value();
  for (size_t i = first; i < last; ++i) {
    if (!is_same_correspondence(map, maps_[i])) return MapResult::kConflict;
    is_checksummed |= maps_[i].checksum.has_value();
  }
  RxMap& known = maps_[first];
  if (known.stream_begin == map.stream_begin && known.length == map.length) {
    // Linux adds the DATA_FIN to a mapping when it sends it again, and that changes the checksum. The first
    // one stands; it is the one its checksum was made for.
    const bool is_same = known.has_data_fin != map.has_data_fin || known.checksum == map.checksum;
    return is_same ? MapResult::kDuplicate : MapResult::kConflict;
  }
  // A checksum covers one mapping as a whole, so mappings that have one can't be joined or cut.
  if (is_checksummed) return MapResult::kConflict;
  if (known.stream_begin <= map.stream_begin && map.stream_end() <= known.stream_end())
    return MapResult::kDuplicate;

  // They agree: one mapping takes the place of all of them.
  const RxMap& tail = maps_[last - 1];
  const StreamOffset begin = std::min(known.stream_begin, map.stream_begin);
  const StreamOffset end = std::max(tail.stream_end(), map.stream_end());
  if (end - begin > UINT32_MAX) return MapResult::kTooMany;
  RxMap joined{.data_begin = std::min(known.data_begin, map.data_begin),
               .stream_begin = begin,
               .length = static_cast<uint32_t>(end - begin),
               .checksum = std::nullopt,
               .has_data_fin = (tail.stream_end() == end && tail.has_data_fin) ||
                               (map.stream_end() == end && map.has_data_fin)};
  known = joined;
  const size_t removed = last - first - 1;
  if (removed > 0) {
    for (size_t i = last; i < maps_.size(); ++i) maps_[i - removed] = maps_[i];
    for (size_t i = 0; i < removed; ++i) maps_.pop_back();
  }
  return MapResult::kOk;
}

/// Moves the shorter side.
void RxMaps::insert_at(size_t index, const RxMap& map) {
  const size_t size = maps_.size();
  if (index >= size / 2) {
    maps_.push_back(map);
    for (size_t i = size; i > index; --i) maps_[i] = maps_[i - 1];
  } else {
    maps_.push_front(map);
    for (size_t i = 0; i < index; ++i) maps_[i] = maps_[i + 1];
  }
  maps_[index] = map;
}

const RxMap* RxMaps::find(StreamOffset offset) const {
  if (maps_.empty()) return nullptr;
  const size_t i = offset < maps_.front().stream_end() ? 0 : first_map_ending_after(maps_, offset);
  return i < maps_.size() && maps_[i].stream_begin <= offset ? &maps_[i] : nullptr;
}

const RxMap* RxMaps::next_after(StreamOffset offset) const {
  size_t i = first_map_ending_after(maps_, offset);
  if (i < maps_.size() && maps_[i].stream_begin <= offset) ++i;
  return i < maps_.size() ? &maps_[i] : nullptr;
}

void RxMaps::acknowledge(StreamOffset offset) {
  while (!maps_.empty() && maps_.front().stream_end() <= offset) maps_.pop_front();
}

}  // namespace braid::mptcp
