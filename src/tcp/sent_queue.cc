#include "tcp/sent_queue.h"

#include <algorithm>

namespace braid::tcp {

namespace {
// Octets sent in one instant become one record up to this size: about a super-segment.
constexpr uint64_t kMaxMergedBytes = 65'536;
// SACK edges split records wherever the peer says, until there are this many records more than segments; from
// there on only between segments. So what a hostile peer can make us hold is bounded by what we sent.
constexpr size_t kSpareRecords = 256;
constexpr size_t kFirstSlab = 8;
constexpr size_t kLargestSlab = 256;

uint32_t segments_in(uint64_t bytes, uint32_t segment_bytes) {
  return static_cast<uint32_t>((bytes + segment_bytes - 1) / segment_bytes);
}
}  // namespace

void SentQueue::append(uint64_t bytes, uint32_t segment_bytes, Time now) {
  const StreamOffset begin = snd_max_;
  snd_max_ += bytes;
  if (!by_sequence_.empty()) {
    SentRecord& last = *by_sequence_.rbegin();
    if (last.sent_at == now && last.transmission == transmissions_ && last.is_in_flight() &&
        !last.is_retransmitted && last.segment_bytes == segment_bytes &&
        last.size() + bytes <= kMaxMergedBytes && last.size() % segment_bytes == 0) {
      last.end = snd_max_;
      return;
    }
  }
  SentRecord& record = allocate();
  record.begin = begin;
  record.end = snd_max_;
  record.sent_at = now;
  record.transmission = ++transmissions_;
  record.segment_bytes = segment_bytes;
  record.is_sacked = record.is_lost = record.is_retransmitted = record.is_indexed = false;
  by_sequence_.push_back(record);
  by_time_.push_back(record);
}

SentQueue::BySequence::iterator SentQueue::first_overlapping(StreamOffset offset) {
  auto next = by_position_.empty() ? by_sequence_.begin()
                                   : std::next(by_sequence_.iterator_to(*by_position_.rbegin()));
  for (; next != by_sequence_.end() && next->begin <= offset; ++next) {
    by_position_.push_back(*next);
    next->is_indexed = true;
  }
  const auto after = by_position_.upper_bound(offset, BeforeInSequence{});
  if (after == by_position_.begin()) return by_sequence_.begin();
  const auto it = by_sequence_.iterator_to(*std::prev(after));
  return it->end > offset ? it : std::next(it);
}

// Makes `part`, which lies inside the record, a record of its own. Nothing if there is no whole segment in it
// and splitting finer is not allowed any more.
SentRecord* SentQueue::isolate(SentRecord& record, ByteRange part) {
  const uint64_t segment = record.segment_bytes;
  if (part.size() != record.size() && record_count() >= kSpareRecords + 2 * (outstanding_bytes() / segment)) {
    const uint64_t first = (part.begin - record.begin + segment - 1) / segment * segment;
    const uint64_t last =
        part.end == record.end ? record.size() : (part.end - record.begin) / segment * segment;
    if (first >= last) return nullptr;
    part = {record.begin + first, record.begin + last};
  }
  SentRecord& middle = part.begin == record.begin ? record : split(record, part.begin);
  if (part.end != middle.end) split(middle, part.end);
  return &middle;
}

// Cuts the record in two; gives the second.
SentRecord& SentQueue::split(SentRecord& record, StreamOffset at) {
  SentRecord& rest = allocate();
  rest.begin = at;
  rest.end = record.end;
  rest.sent_at = record.sent_at;
  rest.transmission = record.transmission;
  rest.segment_bytes = record.segment_bytes;
  rest.is_sacked = record.is_sacked;
  rest.is_lost = record.is_lost;
  rest.is_retransmitted = record.is_retransmitted;
  record.end = at;
  rest.is_indexed = record.is_indexed;
  by_sequence_.insert(std::next(by_sequence_.iterator_to(record)), rest);
  if (record.is_indexed) by_position_.insert_before(std::next(by_position_.iterator_to(record)), rest);
  if (record.is_lost) {
    by_loss_.insert_before(std::next(by_loss_.iterator_to(record)), rest);
  } else {
    by_time_.insert(std::next(by_time_.iterator_to(record)), rest);
  }
  return rest;
}

void SentQueue::leave_flight_or_loss(SentRecord& record) {
  if (record.is_lost) {
    by_loss_.erase(by_loss_.iterator_to(record));
    lost_bytes_ -= record.size();
    record.is_lost = false;
  } else {
    by_time_.erase(by_time_.iterator_to(record));
  }
}

SentRecord& SentQueue::become_sacked(SentRecord& record) {
  leave_flight_or_loss(record);
  record.is_sacked = true;
  record.sacked_segments = segments_in(record.size(), record.segment_bytes);
  sacked_bytes_ += record.size();
  sacked_segments_ += record.sacked_segments;
  auto it = by_sequence_.iterator_to(record);
  if (auto next = std::next(it); next != by_sequence_.end() && next->is_sacked) absorb_next(record);
  if (it != by_sequence_.begin() && std::prev(it)->is_sacked) {
    SentRecord& previous = *std::prev(it);
    absorb_next(previous);
    return previous;
  }
  return record;
}

// Both SACKed, or both just sent again.
void SentQueue::absorb_next(SentRecord& record) {
  SentRecord& next = *std::next(by_sequence_.iterator_to(record));
  record.end = next.end;
  record.sent_at = std::max(record.sent_at, next.sent_at);
  record.transmission = std::max(record.transmission, next.transmission);
  record.is_retransmitted |= next.is_retransmitted;
  if (record.is_sacked) {
    record.sacked_segments += next.sacked_segments;
  } else {
    by_time_.erase(by_time_.iterator_to(next));
  }
  release(next);
}

void SentQueue::become_lost(SentRecord& record) {
  by_time_.erase(by_time_.iterator_to(record));
  record.is_lost = true;
  lost_bytes_ += record.size();
  by_loss_.insert(record);
}

void SentQueue::trim(SentRecord& record, StreamOffset begin) {
  const uint64_t bytes = begin - record.begin;
  record.begin = begin;
  if (record.is_lost) lost_bytes_ -= bytes;
  if (record.is_sacked) {
    sacked_bytes_ -= bytes;
    const uint32_t left = std::min(record.sacked_segments, segments_in(record.size(), record.segment_bytes));
    sacked_segments_ -= record.sacked_segments - left;
    record.sacked_segments = left;
  }
}

void SentQueue::remove(SentRecord& record) {
  if (record.is_sacked) {
    sacked_bytes_ -= record.size();
    sacked_segments_ -= record.sacked_segments;
  } else {
    leave_flight_or_loss(record);
  }
  release(record);
}

void SentQueue::release(SentRecord& record) {
  by_sequence_.erase(by_sequence_.iterator_to(record));
  if (record.is_indexed) by_position_.erase(by_position_.iterator_to(record));
  free_.push_front(record);
}

void SentQueue::mark_retransmitted(ByteRange range, Time now) {
  ++transmissions_;
  auto it = first_overlapping(range.begin);
  while (it != by_sequence_.end() && it->begin < range.end) {
    if (it->is_sacked) {
      ++it;
      continue;
    }
    SentRecord* record = &*it;
    if (record->begin < range.begin) record = &split(*record, range.begin);
    if (record->end > range.end) split(*record, range.end);
    leave_flight_or_loss(*record);
    record->sent_at = now;
    record->transmission = transmissions_;
    record->is_retransmitted = true;
    by_time_.push_back(*record);
    it = by_sequence_.iterator_to(*record);
    if (it != by_sequence_.begin()) {
      SentRecord& previous = *std::prev(it);
      if (previous.begin >= range.begin && previous.is_in_flight() &&
          previous.segment_bytes == record->segment_bytes && previous.size() % previous.segment_bytes == 0) {
        absorb_next(previous);
        it = by_sequence_.iterator_to(previous);
      }
    }
    ++it;
  }
}

void SentQueue::mark_head_lost(uint64_t bytes) {
  const StreamOffset end = earliest(snd_una_ + bytes, snd_max_);
  for (auto it = by_sequence_.begin(); it != by_sequence_.end() && it->begin < end; ++it) {
    if (!it->is_in_flight()) continue;
    if (it->end > end) split(*it, end);
    become_lost(*it);
  }
}

void SentQueue::mark_larger_lost(uint32_t segment_bytes) {
  for (auto it = by_time_.begin(); it != by_time_.end();) {
    SentRecord& record = *it++;
    if (std::min<uint64_t>(record.segment_bytes, record.size()) > segment_bytes) become_lost(record);
  }
}

void SentQueue::clear_lost() {
  if (by_loss_.empty()) return;
  while (!by_loss_.empty()) {
    SentRecord& record = *by_loss_.begin();
    by_loss_.erase(by_loss_.begin());
    record.is_lost = false;
    by_time_.push_back(record);
  }
  lost_bytes_ = 0;
  sort_by_time();
}

void SentQueue::clear_sacked() {
  for (SentRecord& record : by_sequence_) {
    if (!record.is_sacked) continue;
    record.is_sacked = false;
    by_time_.push_back(record);
  }
  sacked_bytes_ = sacked_segments_ = 0;
  sort_by_time();
}

void SentQueue::sort_by_time() {
  by_time_.sort(
      [](const SentRecord& a, const SentRecord& b) { return a.was_sent_before(b.transmission, b.end); });
}

Time SentQueue::sent_at(StreamOffset offset) const {
  for (const SentRecord& record : by_sequence_) {
    if (offset < record.end) return record.sent_at;
  }
  return kNever;
}

ByteRange SentQueue::first_lost(uint64_t max_bytes) const {
  auto it = by_loss_.begin();
  if (it == by_loss_.end()) return {};
  const uint64_t segment = it->segment_bytes;
  ByteRange range{it->begin, it->begin};
  while (it != by_loss_.end() && it->begin == range.end && range.size() < max_bytes) {
    range.end = it->end;
    ++it;
  }
  if (range.size() > max_bytes) {
    range.end = range.begin + (max_bytes > segment ? max_bytes - max_bytes % segment : max_bytes);
  }
  return range;
}

ByteRange SentQueue::last_unsacked(uint64_t max_bytes) const {
  auto it = by_sequence_.rbegin();
  if (it != by_sequence_.rend() && it->is_sacked) ++it;  // SACKed runs are one record each
  if (it == by_sequence_.rend()) return {};
  return {it->size() > max_bytes ? it->end - max_bytes : it->begin, it->end};
}

SentRecord& SentQueue::allocate() {
  if (free_.empty()) grow_pool();
  SentRecord& record = free_.front();
  free_.pop_front();
  return record;
}

void SentQueue::grow_pool() {
  const size_t count = std::min(kFirstSlab << std::min<size_t>(slabs_.size(), 8), kLargestSlab);
  slabs_.push_back(std::make_unique<SentRecord[]>(count));
  for (size_t i = 0; i < count; ++i) free_.push_back(slabs_.back()[i]);
}

}  // namespace braid::tcp
