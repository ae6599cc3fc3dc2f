#include "mptcp/send_buffer.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/random.h"

namespace braid::mptcp {
namespace {

std::span<const std::byte> as_bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

Slice slice_of(ChunkPool& pool, const std::string& text) { return copy_to_slice(pool, as_bytes_of(text)); }

std::string text_of(const tcp::SegmentPayload& payload) {
  std::string text;
  for (const Slice& slice : payload.slices)
    text.append(reinterpret_cast<const char*>(slice.data()), slice.size());
  return text;
}

std::string pattern(size_t size, uint64_t seed = 1) {
  SeededRandom random(seed);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>('a' + random.below(26));
  return text;
}

std::string fetched(const SendBuffer& buffer, DataOffset begin, uint32_t bytes) {
  tcp::SegmentPayload payload;
  if (!buffer.fetch(begin, bytes, payload)) return "(not here)";
  EXPECT_EQ(payload.bytes, text_of(payload).size());
  return text_of(payload);
}

TEST(SendBuffer, SmallWritesShareChunks) {
  ChunkPool pool;
  SendBuffer buffer(pool);
  for (int i = 0; i < 10'000; ++i) buffer.append(as_bytes_of("0123456789"));
  EXPECT_EQ(buffer.occupancy_bytes(), 100'000u);
  EXPECT_LE(buffer.held_bytes(), 200'000u);
  EXPECT_EQ(buffer.held_bytes(), pool.bytes_in_use());
  EXPECT_EQ(fetched(buffer, DataOffset(1 + 49'995), 10), "5678901234");
}

TEST(SendBuffer, AByteOnAQuietConnectionCostsLittle) {
  ChunkPool pool;
  SendBuffer buffer(pool);
  buffer.append(as_bytes_of("x"));
  EXPECT_LE(buffer.held_bytes(), 256u);
  buffer.acknowledge(buffer.end());
  EXPECT_EQ(buffer.held_bytes(), 0u);
  EXPECT_EQ(pool.bytes_in_use(), 0u);
}

TEST(SendBuffer, ASuperSegmentOfBulkDataIsFewSlices) {
  ChunkPool pool;
  SendBuffer buffer(pool);
  const std::string text = pattern(1'000'000);
  buffer.append(as_bytes_of(text));
  tcp::SegmentPayload payload;
  ASSERT_TRUE(buffer.fetch(DataOffset(1 + 300'000), 64'240, payload));
  EXPECT_LE(payload.slices.size(), 2u);
  EXPECT_EQ(text_of(payload), text.substr(300'000, 64'240));
}

TEST(SendBuffer, TakesALargeSliceWithoutCopyingAndCopiesACrumb) {
  ChunkPool pool;
  SendBuffer buffer(pool);
  Slice large = slice_of(pool, pattern(60'000));
  const std::byte* where = large.data();
  buffer.append(large);
  tcp::SegmentPayload payload;
  ASSERT_TRUE(buffer.fetch(DataOffset(1), 10, payload));
  EXPECT_EQ(payload.slices[0].data(), where);

  SendBuffer other(pool);
  other.append(large.sub(100, 50));
  EXPECT_LE(other.held_bytes(), 256u) << "50 octets keep a whole chunk alive";
}

TEST(SendBuffer, WhatAMapRefersToStaysAfterTheDataAck) {
  ChunkPool pool;
  SendBuffer buffer(pool);
  buffer.append(slice_of(pool, std::string(2000, 'a')));
  buffer.append(slice_of(pool, std::string(2000, 'b')));
  // Reinjected: two maps refer to the same octets, in the middle of pieces.
  buffer.retain(DataOffset(1001), DataOffset(3001));
  buffer.retain(DataOffset(1001), DataOffset(3001));
  buffer.acknowledge(buffer.end());
  EXPECT_EQ(buffer.occupancy_bytes(), 0u);
  EXPECT_EQ(fetched(buffer, DataOffset(1999), 4), "aabb");
  buffer.release(DataOffset(1001), DataOffset(3001));
  EXPECT_EQ(fetched(buffer, DataOffset(1999), 4), "aabb");
  buffer.release(DataOffset(1001), DataOffset(3001));
  EXPECT_EQ(fetched(buffer, DataOffset(1999), 4), "(not here)");
  EXPECT_EQ(buffer.held_bytes(), 0u);
  EXPECT_EQ(pool.bytes_in_use(), 0u);
}

// One path hangs with the oldest data while another carries gigabytes.
TEST(SendBuffer, AHangingPathKeepsOnlyItsOwnDataInMemory) {
  ChunkPool pool;
  SendBuffer buffer(pool);
  const std::string text = pattern(10'000);
  buffer.append(as_bytes_of(text));
  buffer.retain(DataOffset(1), DataOffset(1001));
  for (int i = 0; i < 10'000; ++i) {
    const DataOffset begin = buffer.end();
    buffer.append(as_bytes_of(text));
    buffer.retain(begin, buffer.end());
    buffer.acknowledge(buffer.end());
    buffer.release(begin, buffer.end());
  }
  EXPECT_LE(buffer.held_bytes(), 200'000u);
  EXPECT_EQ(fetched(buffer, DataOffset(1), 1000), text.substr(0, 1000));
}

TEST(SendBuffer, FetchSaysWhatIsNotHere) {
  ChunkPool pool;
  SendBuffer buffer(pool);
  buffer.append(as_bytes_of(pattern(5000)));
  tcp::SegmentPayload payload;
  EXPECT_FALSE(buffer.fetch(DataOffset(4000), 2000, payload));
  EXPECT_FALSE(buffer.fetch(buffer.end(), 1, payload));
  EXPECT_TRUE(payload.slices.empty());
  EXPECT_EQ(payload.bytes, 0u);
}

TEST(SendBuffer, FetchStopsWhereThePayloadIsFull) {
  ChunkPool pool;
  SendBuffer buffer(pool);
  std::string text;
  for (int i = 0; i < 40; ++i) {
    text += pattern(200, static_cast<uint64_t>(i));
    buffer.append(slice_of(pool, text.substr(text.size() - 200)));
  }
  tcp::SegmentPayload payload;
  ASSERT_TRUE(buffer.fetch(DataOffset(101), 7000, payload));
  EXPECT_EQ(payload.slices.size(), payload.slices.capacity());
  EXPECT_EQ(payload.bytes, 16 * 200 - 100u);
  EXPECT_EQ(text_of(payload), text.substr(100, payload.bytes));
}

TEST(SendBuffer, SteadyTransferFromTheMiddleOfPiecesKeepsMemoryBounded) {
  ChunkPool pool;
  SendBuffer buffer(pool);
  SeededRandom random(3);
  uint64_t most = 0;
  for (int i = 0; i < 50'000; ++i) {
    buffer.append(as_bytes_of(pattern(random.below(50), 1)));
    if (buffer.occupancy_bytes() > 20'000) buffer.acknowledge(buffer.data_una() + random.below(4000));
    most = std::max(most, buffer.held_bytes());
  }
  EXPECT_LE(most, 200'000u);
}

/// Against a string that keeps everything: whatever is neither DATA_ACKed nor free of references must be
/// there, unchanged.
TEST(SendBuffer, MatchesAModel) {
  for (uint64_t seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    SeededRandom random(seed);
    ChunkPool pool;
    SendBuffer buffer(pool);
    std::string all;
    std::vector<std::pair<DataOffset, DataOffset>> retained;
    const auto at = [](uint64_t position) { return DataOffset(1 + position); };
    const auto check = [&](uint64_t begin, uint64_t end) {
      tcp::SegmentPayload payload;
      const auto bytes = static_cast<uint32_t>(end - begin);
      ASSERT_TRUE(buffer.fetch(at(begin), bytes, payload));
      ASSERT_GT(payload.bytes, 0u);
      ASSERT_EQ(text_of(payload), all.substr(begin, payload.bytes));
    };
    const uint64_t scale = uint64_t{1} << random.below(14);
    for (int step = 0; step < 300; ++step) {
      const uint64_t una = buffer.data_una().value() - 1;
      switch (random.below(6)) {
        case 0:
        case 1: {
          const std::string text = pattern(random.below(scale * 4), random.next64());
          if (random.below(2) == 0)
            buffer.append(as_bytes_of(text));
          else
            buffer.append(slice_of(pool, text));
          all += text;
          break;
        }
        case 2: {
          if (all.size() == una) break;
          const uint64_t begin = una + random.below(all.size() - una);
          const uint64_t end = begin + random.below(all.size() - begin + 1);
          buffer.retain(at(begin), at(end));
          retained.emplace_back(at(begin), at(end));
          break;
        }
        case 3: {
          if (retained.empty()) break;
          std::swap(retained[random.below(retained.size())], retained.back());
          buffer.release(retained.back().first, retained.back().second);
          retained.pop_back();
          break;
        }
        case 4:
          buffer.acknowledge(at(una + random.below(std::min(all.size() - una + 1, scale * 4))));
          break;
        default:
          if (all.size() > una) {
            const uint64_t begin = una + random.below(all.size() - una);
            check(begin, begin + 1 + random.below(all.size() - begin));
          }
          if (!retained.empty()) {
            const auto& [begin, end] = retained[random.below(retained.size())];
            if (begin < end) check(begin.value() - 1, end.value() - 1);
          }
      }
      if (HasFatalFailure()) return;
      ASSERT_EQ(buffer.end(), at(all.size()));
      ASSERT_EQ(buffer.held_bytes(), pool.bytes_in_use());
    }
    for (const auto& [begin, end] : retained) buffer.release(begin, end);
    buffer.acknowledge(buffer.end());
    ASSERT_EQ(buffer.held_bytes(), 0u);
    ASSERT_EQ(pool.bytes_in_use(), 0u);
  }
}

}  // namespace
}  // namespace braid::mptcp
