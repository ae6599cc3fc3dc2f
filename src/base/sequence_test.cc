#include "base/sequence.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

namespace braid {
namespace {

TEST(Seq32, ComparesAroundTheCircle) {
  const Seq32 last(0xffffffff), first(0);
  EXPECT_TRUE(last.before(first));
  EXPECT_TRUE(first.after(last));
  EXPECT_EQ(first.distance_from(last), 1);
  EXPECT_EQ(last.distance_from(first), -1);
  EXPECT_FALSE(first.before(first) || first.after(first));
}

TEST(Seq32, WindowsWrap) {
  const Seq32 start(0xfffffff0);
  EXPECT_TRUE(start.in_window(start, 1));
  EXPECT_FALSE(start.in_window(start, 0));
  EXPECT_TRUE(Seq32(0x0f).in_window(start, 0x20));
  EXPECT_FALSE(Seq32(0x10).in_window(start, 0x20));
  EXPECT_FALSE((start - 1).in_window(start, 0xffffffff));
}

RC_GTEST_PROP(Unwrap, FindsThePositionWithinHalfTheSpaceOfTheReference, (uint32_t initial)) {
  const uint64_t position = *rc::gen::inRange<uint64_t>(uint64_t{1} << 32, uint64_t{1} << 40);
  const int64_t away = *rc::gen::inRange<int64_t>(INT32_MIN, INT32_MAX);
  const StreamOffset reference(position + static_cast<uint64_t>(away));
  const Seq32 wire = wrap(StreamOffset(position), Seq32(initial));
  RC_ASSERT(unwrap(wire, Seq32(initial), reference) == StreamOffset(position) ||
            static_cast<uint64_t>(-away) == uint64_t{1} << 31);
}

TEST(Unwrap, CrossesTheWrapBothWays) {
  EXPECT_EQ(unwrap32(0x00000001, 0xffffffff), 0x100000001u);
  EXPECT_EQ(unwrap32(0xffffffff, 0x100000001), 0xffffffffu);
  EXPECT_EQ(unwrap32(5, 5), 5u);
}

TEST(Unwrap, BelowZeroIsFarAboveEveryWindow) {
  EXPECT_EQ(unwrap32(0xffffffff, 0), UINT64_MAX);
  EXPECT_GT(unwrap(Seq32(99), Seq32(100), StreamOffset(1)), StreamOffset(uint64_t{1} << 62));
}

TEST(Wrap, OffsetZeroIsTheSyn) {
  EXPECT_EQ(wrap(StreamOffset(0), Seq32(0xffffffff)), Seq32(0xffffffff));
  EXPECT_EQ(wrap(StreamOffset(1), Seq32(0xffffffff)), Seq32(0));
  EXPECT_EQ(unwrap(Seq32(0), Seq32(0xffffffff), StreamOffset(1)), StreamOffset(1));
}

}  // namespace
}  // namespace braid
