#include "mptcp/reassembly.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "base/random.h"

namespace braid::mptcp {
namespace {

constexpr DataOffset kNoLimit{uint64_t{1} << 50};

class ReassemblyTest : public testing::Test {
 protected:
  /// Octet n of the stream, the same wherever it comes from.
  static std::byte octet(uint64_t position, uint8_t variant = 0) {
    return static_cast<std::byte>((position * 2654435761u >> 7) + variant);
  }
  Slice make(uint64_t begin, size_t size, uint8_t variant = 0, size_t chunk_bytes = 0) {
    ChunkRef chunk = pool.allocate(std::max(size, chunk_bytes));
    for (size_t i = 0; i < size; ++i) chunk->data()[i] = octet(begin + i, variant);
    return Slice(std::move(chunk), 0, size);
  }
  uint64_t put(uint64_t begin, size_t size, size_t subflow = 0, DataOffset limit = kNoLimit) {
    return reassembly.insert(DataOffset(begin), make(begin, size), limit, subflow);
  }
  void expect_read(uint64_t bytes) {
    const uint64_t begin = reassembly.data_read().value();
    std::vector<std::byte> out(bytes + 10);
    ASSERT_EQ(reassembly.read(out), bytes);
    for (uint64_t i = 0; i < bytes; ++i) ASSERT_EQ(out[i], octet(begin + i)) << "octet " << begin + i;
  }

  ChunkPool pool;
  Reassembly reassembly;
};

TEST_F(ReassemblyTest, InOrderDataAreReadableAtOnce) {
  EXPECT_EQ(put(1, 1000), 1000u);
  EXPECT_EQ(put(1001, 500), 500u);
  EXPECT_EQ(reassembly.data_rcv_nxt(), DataOffset(1501));
  EXPECT_EQ(reassembly.readable_bytes(), 1500u);
  expect_read(1500);
  EXPECT_EQ(reassembly.data_read(), DataOffset(1501));
  EXPECT_EQ(pool.bytes_in_use(), 0u);
}

TEST_F(ReassemblyTest, AHoleHoldsBackWhatIsBehindIt) {
  put(1001, 1000);
  EXPECT_EQ(reassembly.data_rcv_nxt(), DataOffset(1));
  EXPECT_EQ(reassembly.out_of_order_bytes(), 1000u);
  EXPECT_EQ(reassembly.batches(), 1u);
  EXPECT_TRUE(reassembly.front().empty());
  put(1, 1000);
  EXPECT_EQ(reassembly.data_rcv_nxt(), DataOffset(2001));
  EXPECT_EQ(reassembly.out_of_order_bytes(), 0u);
  EXPECT_EQ(reassembly.batches(), 0u);
  expect_read(2000);
}

TEST_F(ReassemblyTest, NothingBeyondTheLimitIsTaken) {
  EXPECT_EQ(put(901, 200, 0, DataOffset(1001)), 100u);
  EXPECT_EQ(put(1001, 1, 0, DataOffset(1001)), 0u);
  EXPECT_EQ(reassembly.insert(DataOffset(UINT64_MAX - 3), make(0, 100), DataOffset(1001), 0), 0u);
  EXPECT_EQ(reassembly.totals().beyond_limit_bytes, 201u);
  EXPECT_EQ(reassembly.out_of_order_bytes(), 100u);
}

TEST_F(ReassemblyTest, TheFirstCopyWins) {
  put(11, 10);
  // Other octets at the same positions: only the two ends of it are new.
  EXPECT_EQ(reassembly.insert(DataOffset(6), make(6, 20, 1), kNoLimit, 1), 10u);
  put(1, 5);
  std::vector<std::byte> out(25);
  ASSERT_EQ(reassembly.read(out), 25u);
  for (uint64_t i = 1; i <= 25; ++i) {
    const uint8_t variant = (i >= 6 && i < 11) || i >= 21 ? 1 : 0;
    EXPECT_EQ(out[i - 1], octet(i, variant)) << i;
  }
  EXPECT_EQ(reassembly.totals().duplicate_bytes, 10u);
}

TEST_F(ReassemblyTest, OneSegmentCanFillManyHoles) {
  for (uint64_t i = 0; i < 10; ++i) put(11 + 20 * i, 10);
  EXPECT_EQ(reassembly.batches(), 10u);
  EXPECT_EQ(put(1, 250), 150u);
  EXPECT_EQ(reassembly.batches(), 0u);
  expect_read(250);
}

TEST_F(ReassemblyTest, RunsAreOfferedWithoutCopying) {
  put(1, 2000);
  put(2001, 2000);
  std::array<std::span<const std::byte>, 8> runs;
  ASSERT_EQ(reassembly.front(runs), 2u);
  EXPECT_EQ(runs[0].size() + runs[1].size(), 4000u);
  EXPECT_EQ(runs[1][0], octet(2001));
  EXPECT_EQ(reassembly.front().data(), runs[0].data());
  reassembly.skip(2500);
  EXPECT_EQ(reassembly.front()[0], octet(2501));
  std::array<std::byte, 4> out;
  EXPECT_EQ(reassembly.peek(out), 4u);
  EXPECT_EQ(out[0], octet(2501));
  EXPECT_EQ(reassembly.readable_bytes(), 1500u);
}

// Two subflows, each with batches of its own, delivered in lock-step while the first octet is missing.
TEST_F(ReassemblyTest, HintsFindThePlaceWhenSubflowsSendBatches) {
  constexpr uint64_t kBatch = 40 * 1000;
  for (uint64_t round = 0; round < 50; ++round) {
    for (uint64_t segment = 0; segment < 40; ++segment) {
      for (size_t subflow = 0; subflow < 4; ++subflow)
        put(2 + (4 * round + subflow) * kBatch + segment * 1000, 1000, subflow);
    }
  }
  const Reassembly::Totals& totals = reassembly.totals();
  const double share =
      static_cast<double>(totals.hint_hits) / static_cast<double>(totals.hint_hits + totals.hint_misses);
  EXPECT_GT(share, 0.97);
  EXPECT_EQ(totals.inserted_bytes, 50 * 4 * kBatch);
  EXPECT_EQ(reassembly.batches(), 1u);
  put(1, 1);
  EXPECT_EQ(reassembly.readable_bytes(), 1 + 50 * 4 * kBatch);
}

TEST_F(ReassemblyTest, AWrongHintCostsASearchAmongBatchesOnly) {
  for (uint64_t i = 0; i < 4096; ++i) put(1001 + 20 * i, 10);
  const uint64_t before = reassembly.totals().steps;
  SeededRandom random(1);
  for (int i = 0; i < 1000; ++i) put(1001 + 20 * random.below(4096), 10, 5);
  EXPECT_LE(reassembly.totals().steps - before, 1000u * 30);
}

TEST_F(ReassemblyTest, SmallSegmentsInLargeBuffersAreCopiedTogether) {
  for (uint64_t i = 0; i < 4000; ++i)
    reassembly.insert(DataOffset(101 + 100 * i), make(101 + 100 * i, 100, 0, 69632), kNoLimit, 0);
  EXPECT_LE(reassembly.held_bytes(), 4u * 400'000);
  EXPECT_EQ(reassembly.held_bytes(), pool.bytes_in_use());
  put(1, 100);
  expect_read(400'100);
}

// A peer that sends every other octet in its own segment, from the end to the beginning, and then the others.
TEST_F(ReassemblyTest, CrumbsCannotMakeUsHoldMuchMoreThanTheWindow) {
  constexpr uint64_t kWindow = 20'000;
  const DataOffset limit(1 + kWindow);
  uint64_t most = 0;
  for (const uint64_t parity : {0, 1}) {
    for (uint64_t i = kWindow; i >= 2; --i) {
      if (i % 2 != parity) continue;
      reassembly.insert(DataOffset(i), make(i, 1, 0, 69632), limit, 0);
      most = std::max<uint64_t>(most, reassembly.held_bytes());
    }
  }
  EXPECT_LE(most, 4 * kWindow + (256u << 10) + 256u);
  EXPECT_GT(reassembly.totals().refused_bytes, 0u);
  // What was not taken comes again, and then everything is there.
  for (uint64_t i = 1; i <= kWindow; i += 100) put(i, 100, 0, limit);
  expect_read(kWindow);
}

TEST_F(ReassemblyTest, CrumbsBackwardsArePacked) {
  constexpr uint64_t kWindow = 100'000;
  for (uint64_t i = kWindow; i >= 2; --i)
    ASSERT_EQ(reassembly.insert(DataOffset(i), make(i, 1), DataOffset(1 + kWindow), 0), 1u);
  EXPECT_LE(reassembly.held_bytes(), 4 * kWindow + (256u << 10) + 256u);
  put(1, 1);
  expect_read(kWindow);
}

/// Several subflows with overlapping pieces of one stream, in random order, against a map of octets.
TEST_F(ReassemblyTest, MatchesAModel) {
  for (uint64_t seed = 0; seed < 80; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    SeededRandom random(seed);
    Reassembly subject;
    std::map<uint64_t, std::byte> known;  // not read yet
    uint64_t read = 1;
    const uint64_t scale = uint64_t{1} << random.below(12);
    const uint64_t window = scale * (1 + random.below(40));
    for (int step = 0; step < 400; ++step) {
      if (random.below(4) == 0) {
        std::vector<std::byte> out(random.below(2 * scale) + 1);
        const size_t n = subject.read(out);
        for (size_t i = 0; i < n; ++i) {
          ASSERT_EQ(known.count(read), 1u);
          ASSERT_EQ(out[i], known[read]);
          known.erase(read++);
        }
        ASSERT_TRUE(n == out.size() || known.count(read) == 0) << "it had more to read";
      } else {
        const uint64_t begin = std::max<int64_t>(1, static_cast<int64_t>(read + random.below(window + 10)) -
                                                        static_cast<int64_t>(random.below(10)));
        const size_t size = random.below(scale) + 1;
        const auto variant = static_cast<uint8_t>(random.below(256));
        const DataOffset limit(read + window);
        uint64_t fresh = 0;
        for (uint64_t i = begin; i < begin + size && i < limit.value(); ++i)
          fresh += i >= read && known.emplace(i, octet(i, variant)).second;
        const size_t chunk_bytes = random.below(2) == 0 ? 69632 : 0;
        ASSERT_EQ(subject.insert(DataOffset(begin), make(begin, size, variant, chunk_bytes), limit,
                                 random.below(5)),
                  fresh);
      }
      uint64_t rcv_nxt = read, batches = 0;
      while (known.count(rcv_nxt) == 1) ++rcv_nxt;
      uint64_t previous = rcv_nxt;
      for (auto it = known.lower_bound(rcv_nxt); it != known.end(); ++it) {
        batches += it->first != previous + 1 || previous == rcv_nxt;
        previous = it->first;
      }
      ASSERT_EQ(subject.data_read(), DataOffset(read));
      ASSERT_EQ(subject.data_rcv_nxt(), DataOffset(rcv_nxt));
      ASSERT_EQ(subject.readable_bytes() + subject.out_of_order_bytes(), known.size());
      ASSERT_EQ(subject.batches(), batches);
      ASSERT_GE(subject.held_bytes(), pool.bytes_in_use());
      ASSERT_LE(subject.held_bytes(), 4 * window + (256u << 10) + 69632u);
    }
  }
}

}  // namespace
}  // namespace braid::mptcp
