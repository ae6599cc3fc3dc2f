#include "base/chunk.h"

#include <cstdlib>
#include <cstring>
#include <new>

namespace braid {

namespace {
constexpr uint32_t kUnpooled = UINT32_MAX;
}

void ChunkRef::recycle() { chunk_->pool_->recycle(chunk_); }

ChunkPool::~ChunkPool() {
  BRAID_CHECK(chunks_in_use_ == 0);
  for (FreeList& list : free_) {
    while (list.head != nullptr) std::free(std::exchange(list.head, list.head->next_free_));
  }
}

ChunkRef ChunkPool::allocate(size_t capacity) {
  uint32_t size_class = 0;
  while (size_class < kCapacities.size() && kCapacities[size_class] < capacity) ++size_class;
  Chunk* chunk = nullptr;
  if (size_class == kCapacities.size()) {
    size_class = kUnpooled;
  } else {
    capacity = kCapacities[size_class];
    FreeList& list = free_[size_class];
    if (list.head != nullptr) {
      chunk = std::exchange(list.head, list.head->next_free_);
      list.bytes -= capacity;
    }
  }
  if (chunk == nullptr) {
    void* memory = std::malloc(sizeof(Chunk) + capacity);
    if (memory == nullptr) throw std::bad_alloc();
    chunk = new (memory) Chunk;
    chunk->pool_ = this;
    chunk->size_class_ = size_class;
    chunk->capacity_ = capacity;
  }
  bytes_in_use_ += capacity;
  ++chunks_in_use_;
  return ChunkRef(chunk);
}

void ChunkPool::recycle(Chunk* chunk) {
  bytes_in_use_ -= chunk->capacity_;
  --chunks_in_use_;
  if (chunk->size_class_ != kUnpooled) {
    FreeList& list = free_[chunk->size_class_];
    if (list.bytes + chunk->capacity_ <= kKeptBytesPerClass) {
      chunk->next_free_ = std::exchange(list.head, chunk);
      list.bytes += chunk->capacity_;
      return;
    }
  }
  std::free(chunk);
}

Slice copy_to_slice(ChunkPool& pool, std::span<const std::byte> bytes) {
  ChunkRef chunk = pool.allocate(bytes.size());
  if (!bytes.empty()) std::memcpy(chunk->data(), bytes.data(), bytes.size());
  return Slice(std::move(chunk), 0, bytes.size());
}

}  // namespace braid
