#include "base/chunk.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace braid {
namespace {

Slice slice_of(ChunkPool& pool, std::string_view text) {
  return copy_to_slice(pool, std::as_bytes(std::span(text)));
}
std::string text_of(const Slice& slice) {
  return {reinterpret_cast<const char*>(slice.data()), slice.size()};
}

TEST(ChunkPool, GivesAtLeastWhatWasAskedFor) {
  ChunkPool pool;
  for (const size_t size : {0, 1, 256, 257, 2048, 16384, 65536, 69632, 262144, 262145, 1000000}) {
    ChunkRef chunk = pool.allocate(size);
    EXPECT_GE(chunk->capacity(), size);
    std::memset(chunk->data(), 0x5a, chunk->capacity());
  }
}

TEST(ChunkPool, CountsWhatSomebodyHolds) {
  ChunkPool pool;
  ChunkRef first = pool.allocate(100);
  ChunkRef second = pool.allocate(300000);
  EXPECT_EQ(pool.bytes_in_use(), 256u + 300000u);
  ChunkRef shared = first;
  EXPECT_TRUE(first->is_shared());
  first.reset();
  EXPECT_FALSE(shared->is_shared());
  EXPECT_EQ(pool.bytes_in_use(), 256u + 300000u);
  shared.reset();
  second.reset();
  EXPECT_EQ(pool.bytes_in_use(), 0u);
}

TEST(ChunkPool, UsesFreedMemoryAgain) {
  ChunkPool pool;
  std::byte* first = pool.allocate(1500)->data();
  EXPECT_EQ(pool.allocate(2000)->data(), first);
}

TEST(ChunkPool, KeepsNoMoreThanItsShareOfFreedMemory) {
  ChunkPool pool;
  std::vector<ChunkRef> held;
  for (size_t bytes = 0; bytes < 2 * ChunkPool::kKeptBytesPerClass; bytes += 262144) {
    held.push_back(pool.allocate(262144));
  }
  held.clear();
  EXPECT_EQ(pool.bytes_in_use(), 0u);
  for (int i = 0; i < 100; ++i) held.push_back(pool.allocate(262144));
  EXPECT_EQ(pool.bytes_in_use(), 100u * 262144u);
}

TEST(ChunkRef, SurvivesAssignmentToItself) {
  ChunkPool pool;
  ChunkRef chunk = pool.allocate(1);
  const ChunkRef& same = chunk;
  chunk = same;
  EXPECT_FALSE(chunk->is_shared());
  EXPECT_TRUE(chunk);
}

TEST(Slice, PartsShareTheChunk) {
  ChunkPool pool;
  Slice whole = slice_of(pool, "hello, world");
  Slice part = whole.sub(7, 5);
  EXPECT_EQ(text_of(part), "world");
  EXPECT_EQ(part.data(), whole.data() + 7);
  EXPECT_TRUE(part.chunk()->is_shared());
  whole = Slice();
  EXPECT_EQ(text_of(part), "world");
  EXPECT_FALSE(part.chunk()->is_shared());
}

TEST(Slice, CanBeTrimmedAtBothEndsAndExtendedByItsWriter) {
  ChunkPool pool;
  Slice slice = slice_of(pool, "abcdef");
  slice.remove_prefix(2);
  slice.truncate(3);
  EXPECT_EQ(text_of(slice), "cde");
  slice.extend(1);
  EXPECT_EQ(text_of(slice), "cdef");
  slice.remove_prefix(4);
  EXPECT_TRUE(slice.empty());
}

TEST(Slice, IsEmptyOnceMovedFrom) {
  ChunkPool pool;
  Slice from = slice_of(pool, "abc");
  Slice to = std::move(from);
  EXPECT_TRUE(from.empty());  // NOLINT(bugprone-use-after-move): that is the question
  EXPECT_EQ(text_of(to), "abc");
  from = std::move(to);
  EXPECT_TRUE(to.empty());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(text_of(from), "abc");
}

TEST(SliceDeathTest, PartsOutsideAreOurOwnBug) {
  ChunkPool pool;
  Slice slice = slice_of(pool, "abc");
  EXPECT_DEATH(slice.sub(2, 2), "internal error");
  EXPECT_DEATH(slice.remove_prefix(4), "internal error");
  EXPECT_DEATH(slice.extend(1000), "internal error");
}

}  // namespace
}  // namespace braid
