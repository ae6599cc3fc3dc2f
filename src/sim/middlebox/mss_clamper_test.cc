#include "sim/middlebox/mss_clamper.h"

#include "sim/middlebox/testing/box_bench.h"

namespace braid::sim {
namespace {

using testing::BoxBench;
using testing::segment;
constexpr auto kForward = Direction::kForward, kBackward = Direction::kBackward;

std::optional<uint16_t> through(MssClamper& box, Direction direction, const char* flags, uint16_t mss) {
  BoxBench bench;
  auto sent = segment(direction, flags, 100, 501);
  sent.options.mss = mss;
  sent.options.window_scale = 7;
  const auto out = bench.pass_one(box, direction, sent).segment.options;
  EXPECT_EQ(out.window_scale, 7);
  return out.mss;
}

TEST(MssClamper, LowersWhatIsLarger) {
  MssClamper box({.mss = 1360});
  EXPECT_EQ(through(box, kForward, "S", 1460), 1360);
  EXPECT_EQ(through(box, kBackward, "SA", 1460), 1360);
  EXPECT_EQ(box.totals().changed, 2u);
}

TEST(MssClamper, AndRaisesNothing) {
  MssClamper box({.mss = 1360});
  EXPECT_EQ(through(box, kForward, "S", 1360), 1360);
  EXPECT_EQ(through(box, kForward, "S", 536), 536);
  EXPECT_EQ(box.totals().passed, 2u);
}

TEST(MssClamper, InSynsOnly) {
  MssClamper box({.mss = 1360});
  EXPECT_EQ(through(box, kForward, "A", 1460), 1460);
}

TEST(MssClamper, OneDirectionOnly) {
  MssClamper box({.mss = 1360, .forward = true, .backward = false});
  EXPECT_EQ(through(box, kForward, "S", 1460), 1360);
  EXPECT_EQ(through(box, kBackward, "SA", 1460), 1460);
}

TEST(MssClamper, AddsNoOption) {
  BoxBench bench;
  MssClamper box({.mss = 1360});
  EXPECT_FALSE(bench.pass_one(box, kForward, segment(kForward, "S", 100)).segment.options.mss.has_value());
}

}  // namespace
}  // namespace braid::sim
