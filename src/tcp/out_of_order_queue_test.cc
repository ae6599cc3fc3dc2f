// The queue of fragments against a model: an array of octets.
#include "tcp/out_of_order_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/random.h"

namespace braid::tcp {
namespace {

/// Octet by octet: what is held, and who came first.
class Model {
 public:
  uint64_t insert(uint64_t begin, uint64_t size, std::byte value) {
    uint64_t added = 0;
    for (uint64_t o = begin; o < begin + size; ++o) added += octets_.emplace(o, value).second ? 1 : 0;
    return added;
  }
  std::vector<ByteRange> runs() const {
    std::vector<ByteRange> runs;
    for (const auto& [o, value] : octets_) {
      if (runs.empty() || runs.back().end != StreamOffset(o))
        runs.push_back({StreamOffset(o), StreamOffset(o)});
      runs.back().end += 1;
    }
    return runs;
  }
  std::map<uint64_t, std::byte> octets_;
};

TEST(OutOfOrderQueueTest, HoldsWhatTheModelHolds) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    SeededRandom random(seed);
    ChunkPool pool;
    OutOfOrderQueue queue(pool);
    Model model;
    uint64_t rcv_nxt = 1;
    const uint64_t span = 1 + random.below(600);
    for (int step = 0; step < 200; ++step) {
      if (random.below(5) > 0) {
        const uint64_t begin = rcv_nxt + 1 + random.below(span), size = 1 + random.below(60);
        const auto value = static_cast<std::byte>(random.below(256));
        ChunkRef chunk = pool.allocate(random.below(2) == 0 ? size : 4000);
        std::fill_n(chunk->data(), size, value);
        const auto insertion = queue.insert(StreamOffset(begin), Slice(std::move(chunk), 0, size), 10'000);
        EXPECT_EQ(insertion.new_bytes, model.insert(begin, size, value));
        EXPECT_EQ(insertion.duplicate.has_value(), insertion.new_bytes < size);
        const auto run = queue.run_at(StreamOffset(begin));
        ASSERT_TRUE(run);
        if (insertion.new_bytes > 0) {
          EXPECT_EQ(queue.recent_runs(4).at(0), *run) << "newest first";
        }
      } else {
        // The octets up to the first fragment come in order, and with them what waits behind.
        if (queue.empty()) continue;
        rcv_nxt = queue.front_begin().value();
        while (auto fragment = queue.pop(StreamOffset(rcv_nxt))) {
          for (const std::byte octet : fragment->slice.bytes()) {
            const auto held = model.octets_.begin();
            EXPECT_EQ(held->first, rcv_nxt);
            EXPECT_EQ(held->second, octet);
            model.octets_.erase(held);
            ++rcv_nxt;
          }
        }
      }
      ASSERT_EQ(queue.runs(), model.runs());
      EXPECT_EQ(queue.bytes(), model.octets_.size());
    }
  }
}

TEST(OutOfOrderQueueTest, FragmentsAreBoundedByTheWindow) {
  ChunkPool pool;
  OutOfOrderQueue queue(pool);
  for (uint64_t i = 0; i < 10'000; ++i) {
    queue.insert(StreamOffset(2 + 2 * i), Slice(pool.allocate(1), 0, 1), 20'000);
  }
  EXPECT_EQ(queue.fragments(), OutOfOrderQueue::kFreeFragments + 20'000 / OutOfOrderQueue::kBytesPerFragment);
}

}  // namespace
}  // namespace braid::tcp
