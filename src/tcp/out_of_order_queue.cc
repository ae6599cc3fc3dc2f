#include "tcp/out_of_order_queue.h"

#include <algorithm>
#include <cstring>

namespace braid::tcp {

namespace {

/// A slice is worth keeping as it is when it uses a quarter of the memory that it pins.
bool pins_too_much(const Slice& slice) { return slice.size() * 4 < slice.chunk()->capacity(); }

/// Appends `bytes` to `target` when the chunk behind it is its own and has room.
bool extend_in_place(Slice& target, std::span<const std::byte> bytes) {
  Chunk* chunk = target.chunk().get();
  if (chunk->is_shared()) return false;
  const size_t used = static_cast<size_t>(target.data() - chunk->data()) + target.size();
  if (chunk->capacity() - used < bytes.size()) return false;
  std::memcpy(chunk->data() + used, bytes.data(), bytes.size());
  target.extend(bytes.size());
  return true;
}

}  // namespace

std::optional<ByteRange> OutOfOrderQueue::run_at(StreamOffset offset) const {
  auto after = std::upper_bound(runs_.begin(), runs_.end(), offset,
                                [](StreamOffset o, const ByteRange& run) { return o < run.begin; });
  if (after == runs_.begin() || std::prev(after)->end <= offset) return std::nullopt;
  return *std::prev(after);
}

boost::container::static_vector<ByteRange, 4> OutOfOrderQueue::recent_runs(size_t max_runs) const {
  boost::container::static_vector<ByteRange, 4> found;
  for (StreamOffset offset : recent_) {
    if (found.size() >= max_runs) break;
    const auto run = run_at(offset);
    if (run && std::find(found.begin(), found.end(), *run) == found.end()) found.push_back(*run);
  }
  return found;
}

OutOfOrderQueue::Insertion OutOfOrderQueue::insert(StreamOffset begin, Slice slice, uint64_t window_bytes) {
  Insertion result;
  const size_t max_fragments = kFreeFragments + window_bytes / kBytesPerFragment;
  size_t i = first_ending_after(begin);
  while (!slice.empty()) {
    const bool is_last = i == fragments_.size();
    if (!is_last && fragments_[i].begin <= begin) {
      const uint64_t n = std::min<uint64_t>(fragments_[i].end() - begin, slice.size());
      if (!result.duplicate) result.duplicate = ByteRange{begin, begin + n};
      slice.remove_prefix(n);
      begin += n;
      ++i;
      continue;
    }
    if (fragments_.size() >= max_fragments) break;
    const uint64_t n = is_last ? slice.size() : std::min<uint64_t>(fragments_[i].begin - begin, slice.size());
    const size_t before = fragments_.size();
    put(i, begin, slice.sub(0, n));
    i += fragments_.size() - before;
    add_to_runs({begin, begin + n});
    result.new_bytes += n;
    bytes_ += n;
    slice.remove_prefix(n);
    begin += n;
  }
  return result;
}

std::optional<OutOfOrderQueue::Fragment> OutOfOrderQueue::pop(StreamOffset rcv_nxt) {
  if (fragments_.empty() || fragments_.front().begin != rcv_nxt) return std::nullopt;
  Fragment fragment = fragments_.pop_front();
  bytes_ -= fragment.slice.size();
  cut_runs(fragment.end());
  return fragment;
}

void OutOfOrderQueue::clear() {
  fragments_.clear();
  runs_.clear();
  recent_.clear();
  bytes_ = 0;
}

size_t OutOfOrderQueue::first_ending_after(StreamOffset offset) const {
  if (fragments_.empty() || fragments_[fragments_.size() - 1].end() <= offset) return fragments_.size();
  size_t low = 0, high = fragments_.size();
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (fragments_[middle].end() <= offset) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

void OutOfOrderQueue::put(size_t index, StreamOffset begin, Slice slice) {
  if (pins_too_much(slice)) {
    if (index > 0 && fragments_[index - 1].end() == begin &&
        extend_in_place(fragments_[index - 1].slice, slice.bytes())) {
      return;
    }
    slice = copy_to_slice(pool_, slice.bytes());
  }
  Fragment fragment{begin, std::move(slice)};
  if (index < fragments_.size() / 2) {
    fragments_.push_front({});
    for (size_t i = 0; i < index; ++i) fragments_[i] = std::move(fragments_[i + 1]);
  } else {
    fragments_.push_back({});
    for (size_t i = fragments_.size() - 1; i > index; --i) fragments_[i] = std::move(fragments_[i - 1]);
  }
  fragments_[index] = std::move(fragment);
}

void OutOfOrderQueue::add_to_runs(ByteRange range) {
  // First run that the new one touches or precedes.
  auto first = runs_.end();
  if (!runs_.empty() && runs_.back().end >= range.begin) {
    first = std::lower_bound(runs_.begin(), runs_.end(), range.begin,
                             [](const ByteRange& run, StreamOffset o) { return run.end < o; });
  }
  auto last = first;
  while (last != runs_.end() && last->begin <= range.end) {
    range.begin = std::min(range.begin, last->begin);
    range.end = std::max(range.end, last->end);
    ++last;
  }
  if (first == last) {
    runs_.insert(first, range);
  } else {
    *first = range;
    runs_.erase(std::next(first), last);
  }
  const auto is_inside = [&](StreamOffset o) { return range.begin <= o && o < range.end; };
  recent_.erase(std::remove_if(recent_.begin(), recent_.end(), is_inside), recent_.end());
  if (recent_.size() == recent_.capacity()) recent_.pop_back();
  recent_.insert(recent_.begin(), range.begin);
}

void OutOfOrderQueue::cut_runs(StreamOffset rcv_nxt) {
  auto first = runs_.begin();
  while (first != runs_.end() && first->end <= rcv_nxt) ++first;
  runs_.erase(runs_.begin(), first);
  if (!runs_.empty() && runs_.front().begin < rcv_nxt) {
    for (StreamOffset& o : recent_) {
      if (runs_.front().begin <= o && o < rcv_nxt) o = rcv_nxt;
    }
    runs_.front().begin = rcv_nxt;
  }
}

}  // namespace braid::tcp
