// Reference-counted memory for payload: bytes are written once by a driver or an application and then only
// sliced. Counts are not atomic: a pool and all its chunks belong to one thread, the Host's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "base/check.h"

namespace braid {

class ChunkPool;

/// A block of memory with a count. Made by a ChunkPool only, returned to it when the last reference goes.
class Chunk {
 public:
  std::byte* data() { return reinterpret_cast<std::byte*>(this + 1); }
  size_t capacity() const { return capacity_; }
  bool is_shared() const { return references_ > 1; }
  ChunkPool& pool() const { return *pool_; }  ///< where it came from and goes back to

 private:
  friend class ChunkPool;
  friend class ChunkRef;
  ChunkPool* pool_ = nullptr;
  Chunk* next_free_ = nullptr;
  uint32_t references_ = 0;
  uint32_t size_class_ = 0;
  size_t capacity_ = 0;
};

/// Shared ownership of a Chunk.
class ChunkRef {
 public:
  ChunkRef() = default;
  ChunkRef(const ChunkRef& other) : chunk_(other.chunk_) {
    if (chunk_ != nullptr) ++chunk_->references_;
  }
  ChunkRef(ChunkRef&& other) noexcept : chunk_(std::exchange(other.chunk_, nullptr)) {}
  ChunkRef& operator=(ChunkRef other) noexcept {
    std::swap(chunk_, other.chunk_);
    return *this;
  }
  ~ChunkRef() { reset(); }

  void reset() {
    if (chunk_ != nullptr && --chunk_->references_ == 0) recycle();
    chunk_ = nullptr;
  }
  Chunk* get() const { return chunk_; }
  Chunk* operator->() const { return chunk_; }
  explicit operator bool() const { return chunk_ != nullptr; }

 private:
  friend class ChunkPool;
  explicit ChunkRef(Chunk* chunk) : chunk_(chunk) { ++chunk_->references_; }
  void recycle();
  Chunk* chunk_ = nullptr;
};

/// Allocates chunks in size classes and keeps freed ones, so steady transfer allocates nothing.
/// Must outlive every chunk that it made.
class ChunkPool {
 public:
  static constexpr std::array<size_t, 5> kCapacities = {256, 2048, 16384, 69632, 262144};
  /// Freed memory kept for reuse, at most, per size class; more goes back to the system.
  static constexpr size_t kKeptBytesPerClass = 8u << 20;

  ChunkPool() = default;
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;
  ~ChunkPool();

  /// A chunk of at least `capacity` bytes; sizes over the largest class are allocated exactly.
  ChunkRef allocate(size_t capacity);

  /// Bytes of chunks that somebody holds.
  size_t bytes_in_use() const { return bytes_in_use_; }

 private:
  friend class ChunkRef;
  void recycle(Chunk* chunk);

  struct FreeList {
    Chunk* head = nullptr;
    size_t bytes = 0;
  };
  std::array<FreeList, kCapacities.size()> free_;
  size_t bytes_in_use_ = 0;
  size_t chunks_in_use_ = 0;
};

/// A run of bytes inside a chunk, and a share in that chunk's ownership. Copying copies no bytes.
class Slice {
 public:
  Slice() = default;
  Slice(ChunkRef chunk, size_t offset, size_t size) : chunk_(std::move(chunk)) {
    BRAID_CHECK(offset + size <= chunk_->capacity());
    data_ = chunk_->data() + offset;
    size_ = size;
  }
  Slice(const Slice&) = default;
  Slice& operator=(const Slice&) = default;
  /// What was moved from is empty.
  Slice(Slice&& other) noexcept
      : chunk_(std::move(other.chunk_)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  Slice& operator=(Slice&& other) noexcept {
    chunk_ = std::move(other.chunk_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }

  const std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const ChunkRef& chunk() const { return chunk_; }

  /// The part [offset, offset + count).
  Slice sub(size_t offset, size_t count) const {
    BRAID_CHECK(offset + count <= size_);
    Slice part;
    part.chunk_ = chunk_;
    part.data_ = data_ + offset;
    part.size_ = count;
    return part;
  }
  void remove_prefix(size_t n) {
    BRAID_CHECK(n <= size_);
    data_ += n;
    size_ -= n;
  }
  void truncate(size_t size) {
    BRAID_CHECK(size <= size_);
    size_ = size;
  }
  /// Makes the slice `n` bytes longer at its end, inside its chunk: for a writer that has just filled them.
  void extend(size_t n) {
    BRAID_CHECK(data_ + size_ + n <= chunk_->data() + chunk_->capacity());
    size_ += n;
  }

 private:
  ChunkRef chunk_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

/// A slice that holds a copy of `bytes`.
Slice copy_to_slice(ChunkPool& pool, std::span<const std::byte> bytes);

}  // namespace braid
