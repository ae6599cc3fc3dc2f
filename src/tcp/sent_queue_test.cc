#include "tcp/sent_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/random.h"

namespace braid::tcp {
namespace {

constexpr uint32_t kMss = 10;
constexpr auto kIgnore = [](const Delivery&) {};

/// The same queue, octet by octet.
struct Model {
  enum Fate : uint8_t { kInFlight, kSacked, kLost };
  std::vector<Fate> fates;  // of [una, max)
  StreamOffset una{1};

  StreamOffset max() const { return una + fates.size(); }
  uint64_t count(Fate fate) const {
    return static_cast<uint64_t>(std::count(fates.begin(), fates.end(), fate));
  }
  template <class F>
  void for_range(ByteRange range, F&& f) {
    for (StreamOffset at = std::max(range.begin, una); at < std::min(range.end, max()); at += 1)
      f(fates[at - una]);
  }
  StreamOffset first_lost() const {
    return una + static_cast<uint64_t>(std::find(fates.begin(), fates.end(), kLost) - fates.begin());
  }
};

class SentQueueModel : public testing::TestWithParam<uint64_t> {
 protected:
  ByteRange random_range() {
    const StreamOffset begin = model_.una + random_.below(model_.fates.size());
    const uint64_t most = std::min<uint64_t>(model_.max() - begin, random_.below(4) == 0 ? 1000 : 30);
    return {begin, begin + 1 + random_.below(most)};
  }
  void step() {
    now_ += 1ms;
    switch (model_.fates.empty() ? 0 : random_.below(8)) {
      case 0:
      case 1:
        send();
        break;
      case 2:
        acknowledge();
        break;
      case 3:
      case 4:
        sack();
        break;
      case 5:
        lose();
        break;
      case 6:
        retransmit();
        break;
      default:
        rarely();
        break;
    }
  }
  void send() {
    const uint64_t bytes = 1 + random_.below(200);
    queue_.append(bytes, kMss, now_);
    model_.fates.insert(model_.fates.end(), bytes, Model::kInFlight);
  }
  void acknowledge() {
    const uint64_t bytes = 1 + random_.below(std::min<uint64_t>(model_.fates.size(), 100));
    uint64_t expected = 0, reported = 0;
    model_.for_range({model_.una, model_.una + bytes},
                     [&](auto& fate) { expected += fate != Model::kSacked; });
    queue_.acknowledge(model_.una + bytes, [&](const Delivery& d) { reported += d.size(); });
    EXPECT_EQ(reported, expected);
    model_.fates.erase(model_.fates.begin(), model_.fates.begin() + static_cast<ptrdiff_t>(bytes));
    model_.una += bytes;
  }
  void sack() {
    const ByteRange range = random_range();
    if (range.begin == model_.una) return;
    uint64_t expected = 0, reported = 0;
    model_.for_range(range,
                     [&](auto& fate) { expected += std::exchange(fate, Model::kSacked) != Model::kSacked; });
    queue_.mark_sacked(range, [&](const Delivery& d) { reported += d.size(); });
    EXPECT_EQ(reported, expected);
  }
  void lose() {
    const uint64_t bytes = random_.below(60);
    queue_.mark_head_lost(bytes);
    model_.for_range({model_.una, model_.una + bytes}, [](auto& fate) {
      if (fate == Model::kInFlight) fate = Model::kLost;
    });
  }
  void retransmit() {
    const ByteRange range = queue_.first_lost(1 + random_.below(50));
    if (range.begin == range.end) return;
    model_.for_range(range, [](auto& fate) {
      EXPECT_EQ(fate, Model::kLost);
      fate = Model::kInFlight;
    });
    queue_.mark_retransmitted(range, now_);
  }
  void rarely() {
    const auto replace = [&](Model::Fate from) {
      std::replace(model_.fates.begin(), model_.fates.end(), from, Model::kInFlight);
    };
    switch (random_.below(20)) {
      case 0:
        queue_.clear_lost();
        replace(Model::kLost);
        break;
      case 1:
        queue_.clear_sacked();
        replace(Model::kSacked);
        break;
      case 2:
        queue_.mark_lost_while([](const SentRecord&) { return true; });
        std::replace(model_.fates.begin(), model_.fates.end(), Model::kInFlight, Model::kLost);
        break;
      default: {  // the older half of the transmissions
        const Time limit = now_ - 20ms;
        Time last = Time::min();
        queue_.mark_lost_while([&](const SentRecord& record) {
          EXPECT_GE(record.sent_at, last);
          last = record.sent_at;
          if (record.sent_at >= limit) return false;
          model_.for_range({record.begin, record.end}, [](auto& fate) { fate = Model::kLost; });
          return true;
        });
      }
    }
  }
  void check() {
    ASSERT_EQ(queue_.snd_una(), model_.una);
    ASSERT_EQ(queue_.snd_max(), model_.max());
    ASSERT_EQ(queue_.in_flight_bytes(), model_.count(Model::kInFlight));
    ASSERT_EQ(queue_.sacked_bytes(), model_.count(Model::kSacked));
    ASSERT_EQ(queue_.lost_bytes(), model_.count(Model::kLost));
    ASSERT_EQ(queue_.sacked_bytes() == 0, queue_.sacked_segments() == 0);
    const ByteRange lost = queue_.first_lost(1'000'000);
    if (lost.begin != lost.end) {
      ASSERT_EQ(lost.begin, model_.first_lost());
    }
  }

  SeededRandom random_{GetParam()};
  SentQueue queue_{StreamOffset(1)};
  Model model_;
  Time now_{1s};
};

TEST_P(SentQueueModel, AgreesOctetByOctet) {
  for (int i = 0; i < 1000 && !HasFatalFailure(); ++i) {
    step();
    check();
  }
  if (!queue_.empty()) queue_.acknowledge(queue_.snd_max(), kIgnore);
  EXPECT_TRUE(queue_.empty());
  EXPECT_EQ(queue_.record_count(), 0u);
  EXPECT_EQ(queue_.in_flight_bytes(), 0u);
}
INSTANTIATE_TEST_SUITE_P(Seeds, SentQueueModel, testing::Range<uint64_t>(0, 12));

TEST(SentQueue, BurstOfOneInstantIsOneRecord) {
  SentQueue queue(StreamOffset(1));
  for (int i = 0; i < 40; ++i) queue.append(1000, 1000, Time(1s));
  EXPECT_EQ(queue.record_count(), 1u);
  queue.append(500, 1000, Time(1s));
  queue.append(1000, 1000, Time(1s));  // not between segments any more
  EXPECT_EQ(queue.record_count(), 2u);
}

TEST(SentQueue, SackedNeighboursBecomeOneRecord) {
  SentQueue queue(StreamOffset(1));
  queue.append(64'000, 1000, Time(1s));
  for (uint64_t i = 2; i < 64; i += 2)
    queue.mark_sacked({StreamOffset(1 + i * 1000), StreamOffset(1001 + i * 1000)}, kIgnore);
  EXPECT_EQ(queue.sacked_segments(), 31u);
  for (uint64_t i = 1; i < 64; i += 2)
    queue.mark_sacked({StreamOffset(1 + i * 1000), StreamOffset(1001 + i * 1000)}, kIgnore);
  EXPECT_EQ(queue.record_count(), 2u);
  EXPECT_EQ(queue.sacked_bytes(), 63'000u);
}

TEST(SentQueue, HostileSacksCannotMakeItHoldMoreThanItSent) {
  SentQueue queue(StreamOffset(1));
  for (int i = 0; i < 100; ++i) queue.append(64'000, 1000, Time(1s) + i * 1ms);
  const uint64_t segments = queue.outstanding_bytes() / 1000;
  for (uint64_t at = 3; at < queue.outstanding_bytes(); at += 2) {
    queue.mark_sacked({StreamOffset(at), StreamOffset(at + 1)}, kIgnore);
  }
  EXPECT_LE(queue.record_count(), 260 + 2 * segments);
  // Whole segments are still taken.
  const uint64_t before = queue.sacked_bytes();
  queue.mark_sacked({StreamOffset(1 + 6'000'000), StreamOffset(1 + 6'010'000)}, kIgnore);
  EXPECT_EQ(queue.sacked_bytes(), before + 10'000);
}

TEST(SentQueue, LastUnsackedSkipsASackedEnd) {
  SentQueue queue(StreamOffset(1));
  queue.append(5000, 1000, Time(1s));
  queue.mark_sacked({StreamOffset(3001), StreamOffset(5001)}, kIgnore);
  EXPECT_EQ(queue.last_unsacked(1000), (ByteRange{StreamOffset(2001), StreamOffset(3001)}));
}

}  // namespace
}  // namespace braid::tcp
