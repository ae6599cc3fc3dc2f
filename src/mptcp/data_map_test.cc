#include "mptcp/data_map.h"

#include <map>
#include <vector>

#include "base/random.h"

namespace braid::mptcp {
namespace {

RxMap rx(uint64_t data, uint64_t stream, uint32_t length, std::optional<uint16_t> checksum = std::nullopt) {
  return {.data_begin = DataOffset(data),
          .stream_begin = StreamOffset(stream),
          .length = length,
          .checksum = checksum};
}
constexpr StreamOffset kStart{1};

TEST(TxMaps, FindsTheMapOfAnyOctet) {
  TxMaps maps;
  for (uint32_t i = 0; i < 1000; ++i)
    maps.push({.data_begin = DataOffset(1 + 7 * i), .stream_begin = StreamOffset(1 + 3 * i), .length = 3});
  uint64_t dropped = 0;
  maps.acknowledge(StreamOffset(1 + 300), [&](const DataMap&) { ++dropped; });
  EXPECT_EQ(dropped, 100u);
  EXPECT_EQ(maps.find(StreamOffset(300)), nullptr);
  EXPECT_EQ(maps.find(StreamOffset(3001)), nullptr);
  SeededRandom random(1);
  for (int i = 0; i < 5000; ++i) {
    const uint64_t offset = 301 + random.below(2700);
    const DataMap* map = maps.find(StreamOffset(offset));
    ASSERT_NE(map, nullptr);
    EXPECT_EQ(map->stream_begin.value(), (offset - 1) / 3 * 3 + 1);
  }
}

TEST(TxMaps, AMapStaysUntilAllOfItIsAcknowledged) {
  TxMaps maps;
  maps.push({.data_begin = DataOffset(1), .stream_begin = StreamOffset(1), .length = 100});
  std::vector<uint64_t> done;
  const auto note = [&](const DataMap& map) { done.push_back(map.data_begin.value()); };
  maps.acknowledge(StreamOffset(100), note);
  EXPECT_TRUE(done.empty());
  maps.acknowledge(StreamOffset(101), note);
  EXPECT_EQ(done, std::vector<uint64_t>{1});
  EXPECT_TRUE(maps.empty());
}

TEST(RxMaps, FindsMappedAndUnmappedOctets) {
  RxMaps maps;
  EXPECT_EQ(maps.add(rx(1, 1, 100), kStart), MapResult::kOk);
  EXPECT_EQ(maps.add(rx(501, 201, 50), kStart), MapResult::kOk);
  EXPECT_EQ(maps.find(StreamOffset(100))->data_begin, DataOffset(1));
  EXPECT_EQ(maps.find(StreamOffset(101)), nullptr);
  EXPECT_EQ(maps.next_after(StreamOffset(101))->data_begin, DataOffset(501));
  EXPECT_EQ(maps.next_after(StreamOffset(1))->data_begin, DataOffset(501));
  EXPECT_EQ(maps.next_after(StreamOffset(201)), nullptr);
  maps.acknowledge(StreamOffset(230));
  EXPECT_EQ(maps.find(StreamOffset(1)), nullptr);
  EXPECT_NE(maps.find(StreamOffset(230)), nullptr) << "it has more octets to come";
  maps.acknowledge(StreamOffset(251));
  EXPECT_EQ(maps.size(), 0u);
}

TEST(RxMaps, CopiesOfAMappingFromSplitSegmentsAreDuplicates) {
  RxMaps maps;
  const RxMap map = rx(1, 1, 1000, 0x1234);
  EXPECT_EQ(maps.add(map, kStart), MapResult::kOk);
  EXPECT_EQ(maps.add(map, StreamOffset(501)), MapResult::kDuplicate);
  EXPECT_EQ(maps.add(map, StreamOffset(1001)), MapResult::kOld);
  EXPECT_EQ(maps.size(), 1u);
}

TEST(RxMaps, AnotherChecksumForTheSameMappingIsAConflict) {
  RxMaps maps;
  EXPECT_EQ(maps.add(rx(1, 1, 1000, 0x1234), kStart), MapResult::kOk);
  EXPECT_EQ(maps.add(rx(1, 1, 1000, 0x4321), kStart), MapResult::kConflict);
}

// Linux, retransmitting the last segment after close(): the mapping then has one more octet, the DATA_FIN.
TEST(RxMaps, ADataFinAddedToARepeatedMappingIsNoConflict) {
  RxMaps maps;
  EXPECT_EQ(maps.add(rx(1, 1, 1000, 0x1234), kStart), MapResult::kOk);
  RxMap with_fin = rx(1, 1, 1000, 0x1233);
  with_fin.has_data_fin = true;
  EXPECT_EQ(maps.add(with_fin, kStart), MapResult::kDuplicate);
  EXPECT_EQ(maps.find(kStart)->checksum, 0x1234) << "the first one stands";
}

TEST(RxMaps, MappingsThatSayOtherwiseAreConflicts) {
  RxMaps maps;
  EXPECT_EQ(maps.add(rx(101, 101, 100), kStart), MapResult::kOk);
  EXPECT_EQ(maps.add(rx(1101, 101, 100), kStart), MapResult::kConflict);
  EXPECT_EQ(maps.add(rx(150, 151, 10), kStart), MapResult::kConflict);
  EXPECT_EQ(maps.add(rx(2, 1, 101), kStart), MapResult::kConflict);
  EXPECT_EQ(maps.add(rx(1000, 200, 1), kStart), MapResult::kConflict);
  EXPECT_EQ(maps.add(rx(1000, 201, 1), kStart), MapResult::kOk);
}

TEST(RxMaps, AgreeingMappingsMeldUnlessAChecksumCoversThem) {
  RxMaps maps;
  EXPECT_EQ(maps.add(rx(101, 101, 100), kStart), MapResult::kOk);
  EXPECT_EQ(maps.add(rx(301, 301, 100), kStart), MapResult::kOk);
  EXPECT_EQ(maps.add(rx(120, 120, 10), kStart), MapResult::kDuplicate);
  EXPECT_EQ(maps.add(rx(151, 151, 200), kStart), MapResult::kOk);
  EXPECT_EQ(maps.size(), 1u);
  EXPECT_EQ(maps.find(StreamOffset(250))->data_begin, DataOffset(101));
  EXPECT_EQ(maps.find(StreamOffset(250))->length, 300u);

  RxMaps checked;
  EXPECT_EQ(checked.add(rx(101, 101, 100, 0x1111), kStart), MapResult::kOk);
  EXPECT_EQ(checked.add(rx(151, 151, 100, 0x2222), kStart), MapResult::kConflict);
  EXPECT_EQ(checked.add(rx(111, 111, 10, 0x2222), kStart), MapResult::kConflict);
}

TEST(RxMaps, NonsensePositionsAndLengthsAreHarmless) {
  RxMaps maps;
  EXPECT_EQ(maps.add(rx(1, 1, 0), kStart), MapResult::kOld);
  EXPECT_EQ(maps.add(rx(1, UINT64_MAX - 5, 10), kStart), MapResult::kConflict);
  EXPECT_EQ(maps.add(rx(UINT64_MAX - 5, 1, 10), kStart), MapResult::kConflict);
  EXPECT_EQ(maps.add(rx(1, 1, UINT32_MAX), kStart), MapResult::kOk);
  EXPECT_EQ(maps.add(rx(2, 2, UINT32_MAX), kStart), MapResult::kTooMany) << "would not fit in one";
  EXPECT_EQ(maps.find(StreamOffset(UINT32_MAX))->length, UINT32_MAX);
}

TEST(RxMaps, CrumbsAreBounded) {
  for (const bool is_backwards : {false, true}) {
    RxMaps maps;
    for (uint64_t i = 0; i < 2 * RxMaps::kMaxMaps; ++i) {
      const uint64_t at = is_backwards ? 100'000 - 2 * i : 1 + 2 * i;
      EXPECT_EQ(maps.add(rx(at, at, 1), kStart), i < RxMaps::kMaxMaps ? MapResult::kOk : MapResult::kTooMany);
    }
    EXPECT_EQ(maps.size(), RxMaps::kMaxMaps);
  }
}

// A burst with a hole at its beginning filled the table; the segment that fills the hole was then dropped,
// each time it came, and the subflow never went on.
TEST(RxMaps, WhatFillsTheHoleHasRoomInAFullTable) {
  RxMaps maps;
  for (uint64_t i = 1; i <= RxMaps::kMaxMaps; ++i) maps.add(rx(1 + 10 * i, 1 + 10 * i, 10), kStart);
  EXPECT_EQ(maps.add(rx(200'000, 200'000, 10), kStart), MapResult::kTooMany);
  EXPECT_EQ(maps.add(rx(1, 1, 10), kStart), MapResult::kOk);
  EXPECT_EQ(maps.size(), RxMaps::kMaxMaps + 1);
  maps.acknowledge(StreamOffset(11));
  EXPECT_EQ(maps.size(), RxMaps::kMaxMaps);
}

/// Whatever comes in, in whatever order: maps are sorted and disjoint, and an octet, once mapped, keeps its
/// meaning until it is acknowledged.
TEST(RxMaps, NeverOverlapAndNeverChangeTheirMind) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    SeededRandom random(seed);
    RxMaps maps;
    std::map<uint64_t, uint64_t> meaning;  // stream octet -> data octet
    uint64_t rcv_nxt = 1;
    for (int step = 0; step < 400; ++step) {
      if (random.below(20) == 0) {
        rcv_nxt += random.below(30);
        maps.acknowledge(StreamOffset(rcv_nxt));
        meaning.erase(meaning.begin(), meaning.lower_bound(rcv_nxt));
      }
      RxMap map = rx(0, rcv_nxt + random.below(200), static_cast<uint32_t>(random.below(40)));
      map.data_begin = DataOffset(map.stream_begin.value() + 1000 + random.below(2) * random.below(3));
      if (random.below(5) == 0) map.checksum = static_cast<uint16_t>(random.below(2));
      const MapResult result = maps.add(map, StreamOffset(rcv_nxt));
      for (uint64_t i = 0; i < map.length; ++i) {
        const uint64_t octet = map.stream_begin.value() + i;
        const auto known = meaning.find(octet);
        if (result == MapResult::kOk) {
          ASSERT_TRUE(known == meaning.end() || known->second == map.data_begin.value() + i);
          meaning[octet] = map.data_begin.value() + i;
        } else if (result == MapResult::kDuplicate) {
          ASSERT_NE(known, meaning.end());
          ASSERT_EQ(known->second, map.data_begin.value() + i);
        }
      }
      uint64_t mapped = 0;
      for (uint64_t octet = rcv_nxt; octet < rcv_nxt + 300; ++octet) {
        const RxMap* found = maps.find(StreamOffset(octet));
        const auto known = meaning.find(octet);
        ASSERT_EQ(found != nullptr, known != meaning.end()) << octet;
        if (found == nullptr) continue;
        ++mapped;
        ASSERT_EQ(found->data_begin.value() + (octet - found->stream_begin.value()), known->second);
      }
      ASSERT_EQ(mapped, meaning.size());
      StreamOffset end(0);
      for (const RxMap* m = maps.next_after(StreamOffset(0)); m; m = maps.next_after(m->stream_begin)) {
        ASSERT_GE(m->stream_begin, end);
        end = m->stream_end();
      }
    }
  }
}

}  // namespace
}  // namespace braid::mptcp
