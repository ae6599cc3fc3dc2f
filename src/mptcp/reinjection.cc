#include "mptcp/reinjection.h"

#include <algorithm>

namespace braid::mptcp {

uint64_t ReinjectionQueue::bytes_for(int taker) const {
  uint64_t bytes = 0;
  for (const Entry& entry : ranges_) {
    if (entry.source != taker) bytes += entry.range.size();
  }
  return bytes;
}

void ReinjectionQueue::push(DataRange range, int source) {
  if (range.begin >= range.end) return;
  // As many as a window of a doubted path comes in, at once: the next doubt then costs no allocation.
  constexpr size_t kUsual = 256;
  if (ranges_.capacity() == 0) ranges_.reserve(kUsual);
  for (Entry& entry : ranges_) {
    if (entry.source != source || range.begin > entry.range.end || entry.range.begin > range.end) continue;
    entry.range.end = std::max(entry.range.end, range.end);
    if (range.begin >= entry.range.begin) return;
    range = {range.begin, entry.range.end};  // grows downwards: its place may change
    ranges_.erase(ranges_.begin() + (&entry - ranges_.data()));
    break;
  }
  const auto place = std::find_if(ranges_.begin(), ranges_.end(),
                                  [&](const Entry& entry) { return entry.range.begin > range.begin; });
  ranges_.insert(place, Entry{range, source});
}

void ReinjectionQueue::forget(int source) {
  std::erase_if(ranges_, [&](const Entry& entry) { return entry.source == source; });
}

void ReinjectionQueue::orphan(int source) {
  for (Entry& entry : ranges_) {
    if (entry.source == source) entry.source = kNobody;
  }
}

std::optional<DataRange> ReinjectionQueue::first_for(int taker, DataOffset una) const {
  for (const Entry& entry : ranges_) {
    if (entry.source != taker && entry.range.end > una)
      return DataRange{std::max(entry.range.begin, una), entry.range.end};
  }
  return std::nullopt;
}

std::optional<DataRange> ReinjectionQueue::take(int taker, DataOffset una, uint64_t max_bytes) {
  std::erase_if(ranges_, [&](const Entry& entry) { return entry.range.end <= una; });
  for (size_t i = 0; i < ranges_.size(); ++i) {
    Entry& entry = ranges_[i];
    if (entry.source == taker) continue;
    entry.range.begin = std::max(entry.range.begin, una);
    DataRange taken = entry.range;
    if (taken.size() > max_bytes) taken.end = taken.begin + max_bytes;
    entry.range.begin = taken.end;
    if (entry.range.size() == 0) {
      ranges_.erase(ranges_.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      // A later range may begin earlier now.
      while (i + 1 < ranges_.size() && ranges_[i + 1].range.begin < ranges_[i].range.begin) {
        std::swap(ranges_[i], ranges_[i + 1]);
        ++i;
      }
    }
    return taken;
  }
  return std::nullopt;
}

}  // namespace braid::mptcp
