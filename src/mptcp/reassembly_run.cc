#include "mptcp/reassembly_run.h"

#include <algorithm>
#include <cstring>

namespace braid::mptcp {

namespace {

constexpr size_t kLargeChunk = 64u << 10;

bool is_wasteful(const Slice& slice) { return slice.size() * 4 < slice.chunk()->capacity(); }

/// The capacity that a chunk for `bytes` would have; the one that `bytes` would fill.
size_t class_around(size_t bytes) {
  const auto* it = std::lower_bound(ChunkPool::kCapacities.begin(), ChunkPool::kCapacities.end(), bytes);
  return it == ChunkPool::kCapacities.end() ? bytes : *it;
}
size_t class_within(size_t bytes) {
  const auto* it = std::upper_bound(ChunkPool::kCapacities.begin(), ChunkPool::kCapacities.end(), bytes);
  return it == ChunkPool::kCapacities.begin() ? *it : *std::prev(it);
}

}  // namespace

uint32_t RunStore::take_node(Slice slice) {
  held_bytes_ += slice.chunk()->capacity();
  peak_ = std::max(peak_, ++in_use_);
  uint32_t index = free_;
  if (index == kNone) {
    index = static_cast<uint32_t>(nodes_.size());
    nodes_.emplace_back();
  } else {
    free_ = nodes_[index].next;
  }
  nodes_[index].slice = std::move(slice);
  nodes_[index].next = kNone;
  return index;
}

void RunStore::free_node(uint32_t index) {
  Node& node = nodes_[index];
  held_bytes_ -= node.slice.chunk()->capacity();
  --in_use_;
  node = Node{};
  node.next = free_;
  free_ = index;
}

void RunStore::on_drained() {
  constexpr size_t kKeptNodes = 64;
  constexpr uint32_t kPatience = 256;
  const bool is_oversized = nodes_.size() > kKeptNodes && peak_ * 4 < nodes_.size();
  peak_ = 0;
  quiet_drains_ = is_oversized ? quiet_drains_ + 1 : 0;
  if (quiet_drains_ < kPatience) return;
  quiet_drains_ = 0;
  nodes_ = {};
  free_ = kNone;
}

void RunStore::push_back(Run& run, uint32_t index) {
  const size_t size = nodes_[index].slice.size();
  if (run.empty())
    run.head = index;
  else
    nodes_[run.tail].next = index;
  run.tail = index;
  run.end += size;
}

size_t RunStore::tail_room(const Run& run) const {
  if (run.empty() || !nodes_[run.tail].is_ours) return 0;
  const Slice& tail = nodes_[run.tail].slice;
  return static_cast<size_t>(tail.chunk()->data() + tail.chunk()->capacity() - (tail.data() + tail.size()));
}

/// New chunks, when the last one is full, have `chunk_bytes`.
void RunStore::append_copy(Run& run, std::span<const std::byte> bytes, size_t chunk_bytes, ChunkPool& pool) {
  copied_bytes_ += bytes.size();
  while (!bytes.empty()) {
    const size_t room = tail_room(run);
    size_t n = std::min(room, bytes.size());
    if (room > 0) {
      Slice& tail = nodes_[run.tail].slice;
      std::memcpy(const_cast<std::byte*>(tail.data()) + tail.size(), bytes.data(), n);
      tail.extend(n);
      run.end += n;
    } else {
      ChunkRef chunk = pool.allocate(chunk_bytes);
      n = std::min(chunk->capacity(), bytes.size());
      std::memcpy(chunk->data(), bytes.data(), n);
      const uint32_t index = take_node(Slice(std::move(chunk), 0, n));
      nodes_[index].is_ours = true;
      push_back(run, index);
    }
    bytes = bytes.subspan(n);
  }
}

void RunStore::append(Run& run, Slice slice) {
  if (is_wasteful(slice)) {
    // Size classes are up to eight times apart, so half of what the run has is at most four times of it.
    const size_t wanted = std::min(std::max<size_t>(slice.size(), run.size() / 2), kLargeChunk);
    const size_t capacity = slice.chunk()->capacity();
    if (tail_room(run) > 0 || class_around(wanted) != capacity)
      return append_copy(run, slice.bytes(), wanted, slice.chunk()->pool());
  }
  push_back(run, take_node(std::move(slice)));
}

void RunStore::prepend(Run& run, Slice slice) {
  if (is_wasteful(slice) && class_around(slice.size()) < slice.chunk()->capacity()) {
    copied_bytes_ += slice.size();
    slice = copy_to_slice(slice.chunk()->pool(), slice.bytes());
  }
  const size_t size = slice.size();
  const uint32_t index = take_node(std::move(slice));
  nodes_[index].next = run.head;
  run.head = index;
  run.begin = run.begin - size;
}

void RunStore::splice(Run& target, Run& source) {
  if (target.empty())
    target.head = source.head;
  else
    nodes_[target.tail].next = source.head;
  target.tail = source.tail;
  target.end = source.end;
  source.begin = source.end;
}

void RunStore::drop_front(Run& run, uint64_t bytes) {
  run.begin += bytes;
  while (bytes > 0) {
    Slice& slice = nodes_[run.head].slice;
    if (bytes < slice.size()) return slice.remove_prefix(bytes);
    bytes -= slice.size();
    const uint32_t next = nodes_[run.head].next;
    free_node(run.head);
    run.head = next;
  }
}

void RunStore::compact(Run& run) {
  if (run.empty()) return;
  ChunkPool& pool = nodes_[run.head].slice.chunk()->pool();
  Run packed{.begin = run.begin, .end = run.begin, .head = kNone, .tail = kNone};
  while (!run.empty()) {
    // Chunks that the rest of the run fills: only the last, smallest one has slack.
    const size_t chunk_bytes = class_within(std::min<uint64_t>(run.size(), kLargeChunk));
    const size_t room = packed.empty() ? 0 : tail_room(packed);
    const std::span<const std::byte> bytes = nodes_[run.head].slice.bytes();
    const size_t n = std::min(room > 0 ? room : chunk_bytes, bytes.size());
    append_copy(packed, bytes.first(n), chunk_bytes, pool);
    drop_front(run, n);
  }
  run = packed;
}

size_t RunStore::copy_out(const Run& run, std::span<std::byte> out) const {
  size_t copied = 0;
  const size_t wanted = std::min<uint64_t>(out.size(), run.size());
  for (uint32_t i = run.head; copied < wanted; i = nodes_[i].next) {
    const Slice& slice = nodes_[i].slice;
    const size_t n = std::min(slice.size(), wanted - copied);
    std::memcpy(out.data() + copied, slice.data(), n);
    copied += n;
  }
  return copied;
}

size_t RunStore::slices_of(const Run& run, std::span<std::span<const std::byte>> out) const {
  uint64_t left = run.size();
  size_t count = 0;
  for (uint32_t i = run.head; left > 0 && count < out.size(); i = nodes_[i].next) {
    out[count++] = nodes_[i].slice.bytes();
    left -= nodes_[i].slice.size();
  }
  return count;
}

}  // namespace braid::mptcp
