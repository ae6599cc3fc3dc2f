#include "mptcp/send_buffer.h"

#include <algorithm>
#include <cstring>

namespace braid::mptcp {

namespace {

constexpr size_t kLargeChunk = 64u << 10;

/// The first piece that ends after `offset`.
template <class Pieces>
size_t first_ending_after(const Pieces& pieces, DataOffset offset) {
  size_t low = 0, high = pieces.size();
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    // Dropped pieces are empty: nothing ends after their begin, and pieces stay sorted by it.
    if (pieces[middle].begin <= offset)
      low = middle + 1;
    else
      high = middle;
  }
  if (low > 0 && pieces[low - 1].end() > offset) --low;
  return low;
}

}  // namespace

SendBuffer::SendBuffer(ChunkPool& pool, DataOffset first) : pool_(pool), data_una_(first), end_(first) {}

size_t SendBuffer::tail_room() const {
  if (!is_tail_ours_) return 0;
  const Slice& tail = pieces_.back().slice;
  return static_cast<size_t>(tail.chunk()->data() + tail.chunk()->capacity() - (tail.data() + tail.size()));
}

void SendBuffer::push(Slice slice) {
  const size_t size = slice.size();
  held_bytes_ += slice.chunk()->capacity();
  pieces_.push_back({.slice = std::move(slice), .begin = end_});
  end_ += size;
}

void SendBuffer::append(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    size_t room = tail_room();
    if (room == 0) {
      // As large as what already waits: a quiet connection holds little, a busy one has few pieces.
      const size_t wanted = std::max<size_t>(bytes.size(), occupancy_bytes());
      push(Slice(pool_.allocate(std::min(wanted, kLargeChunk)), 0, 0));
      is_tail_ours_ = true;
      room = tail_room();
    }
    Slice& tail = pieces_.back().slice;
    const size_t n = std::min(room, bytes.size());
    std::memcpy(const_cast<std::byte*>(tail.data()) + tail.size(), bytes.data(), n);
    tail.extend(n);
    end_ += n;
    bytes = bytes.subspan(n);
  }
}

void SendBuffer::append(Slice slice) {
  if (slice.empty()) return;
  if (!pieces_.empty()) {
    // A chunk handed over in parts is one piece, held once.
    Slice& tail = pieces_.back().slice;
    if (tail.chunk().get() == slice.chunk().get() && tail.data() + tail.size() == slice.data()) {
      tail.extend(slice.size());
      end_ += slice.size();
      return;
    }
  }
  if (slice.size() * 4 < slice.chunk()->capacity()) return append(slice.bytes());
  push(std::move(slice));
  is_tail_ours_ = false;
}

void SendBuffer::acknowledge(DataOffset data_ack) {
  if (data_ack <= data_una_) return;
  BRAID_CHECK(data_ack <= end_);
  data_una_ = data_ack;
  while (!pieces_.empty() && pieces_.front().end() <= data_una_) {
    Piece piece = pieces_.pop_front();
    if (hint_ > 0) --hint_;
    if (pieces_.empty()) is_tail_ours_ = false;
    if (piece.references > 0) {
      shelved_bytes_ += piece.slice.chunk()->capacity();
      shelved_.push_back(std::move(piece));
    } else {
      held_bytes_ -= piece.slice.chunk()->capacity();
    }
  }
}

/// The piece of pieces_ that holds `offset`, its first one if that is later; size() beyond the end.
size_t SendBuffer::locate(DataOffset offset) const {
  if (pieces_.empty() || offset >= end_) return pieces_.size();
  if (pieces_.front().end() > offset) return 0;
  for (const size_t guess : {hint_, hint_ + 1}) {
    if (guess >= pieces_.size() || pieces_[guess].begin > offset || pieces_[guess].end() <= offset) continue;
    return hint_ = guess;
  }
  return hint_ = first_ending_after(pieces_, offset);
}

/// Calls visitor(piece, is_shelved) for every piece still here that overlaps [begin, end).
template <class Visit>
void SendBuffer::visit(DataOffset begin, DataOffset end, Visit&& visitor) {
  BRAID_CHECK(begin <= end && end <= end_);
  if (begin == end) return;
  if (!shelved_.empty() && shelved_.back().end() > begin) {
    for (size_t i = first_ending_after(shelved_, begin); i < shelved_.size() && shelved_[i].begin < end; ++i)
      if (!shelved_[i].slice.empty()) visitor(shelved_[i], true);
  }
  for (size_t i = locate(begin); i < pieces_.size() && pieces_[i].begin < end; ++i)
    visitor(pieces_[i], false);
}

// A piece that is gone when a range is retained is gone when it is released, and one that is there then stays
// until it is released: so counts per piece, of whatever part, always match.
void SendBuffer::retain(DataOffset begin, DataOffset end) {
  visit(begin, end, [](Piece& piece, bool) { ++piece.references; });
}

void SendBuffer::release(DataOffset begin, DataOffset end) {
  visit(begin, end, [this](Piece& piece, bool is_shelved) {
    BRAID_CHECK(piece.references > 0);
    if (--piece.references > 0 || !is_shelved) return;
    held_bytes_ -= piece.slice.chunk()->capacity();
    shelved_bytes_ -= piece.slice.chunk()->capacity();
    piece.slice = {};
    ++shelved_dead_;
  });
  if (shelved_dead_ > 0) sweep();
}

void SendBuffer::sweep() {
  while (!shelved_.empty() && shelved_.front().references == 0) {
    shelved_.pop_front();
    --shelved_dead_;
  }
  if (shelved_dead_ * 2 <= shelved_.size()) return;
  for (size_t n = shelved_.size(); n > 0; --n) {
    Piece piece = shelved_.pop_front();
    if (piece.references > 0) shelved_.push_back(std::move(piece));
  }
  shelved_dead_ = 0;
}

bool SendBuffer::fetch(DataOffset begin, uint32_t max_bytes, tcp::SegmentPayload& payload) const {
  const size_t slices_before = payload.slices.size();
  uint32_t left = max_bytes;
  for (const Pieces* pieces : {&shelved_, &pieces_}) {
    const size_t first = pieces == &pieces_ ? locate(begin) : first_ending_after(*pieces, begin);
    for (size_t i = first; left > 0 && i < pieces->size(); ++i) {
      const Piece& piece = (*pieces)[i];
      if (piece.slice.empty()) continue;
      if (piece.begin > begin) break;
      if (payload.slices.size() == payload.slices.capacity()) {
        left = 0;
        break;
      }
      const size_t skipped = begin - piece.begin;
      const auto n = static_cast<uint32_t>(std::min<uint64_t>(left, piece.slice.size() - skipped));
      payload.slices.push_back(piece.slice.sub(skipped, n));
      payload.bytes += n;
      begin += n;
      left -= n;
    }
  }
  if (left == 0) return true;
  while (payload.slices.size() > slices_before) {
    payload.bytes -= static_cast<uint32_t>(payload.slices.back().size());
    payload.slices.pop_back();
  }
  return false;
}

}  // namespace braid::mptcp
