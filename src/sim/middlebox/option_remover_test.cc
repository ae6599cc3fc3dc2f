#include "sim/middlebox/option_remover.h"

#include "sim/middlebox/testing/box_bench.h"

namespace braid::sim {
namespace {

using testing::BoxBench;
using testing::segment;
constexpr auto kForward = Direction::kForward, kBackward = Direction::kBackward;

/// With one option of each kind that such a segment may have.
wire::OutgoingSegment loaded(Direction direction, std::string_view flags, uint32_t seq, uint32_t ack = 0) {
  auto made = segment(direction, flags, seq, ack);
  if (made.flags.syn) {
    made.options.mss = 1460;
    made.options.window_scale = 7;
    made.options.sack_permitted = true;
    wire::MpCapable capable;
    if (made.flags.ack) capable.sender_key = 7;
    made.options.mptcp.push_back(capable);
  } else {
    wire::Dss dss;
    dss.data_ack = wire::WideOrNarrow{77, false};
    made.options.mptcp.push_back(dss);
    made.options.mptcp.push_back(wire::MpPrio{});
  }
  made.options.timestamps = wire::Timestamps{1, 2};
  return made;
}

struct Seen {
  bool syn, synack, third_ack, ack, data;
  bool operator==(const Seen&) const = default;
};
/// Which segments of a short connection still have MPTCP options.
Seen pass_connection(BoxBench& bench, OptionRemover& box) {
  const auto keeps = [&](Direction direction, const wire::OutgoingSegment& sent,
                         std::string_view payload = "") {
    return !bench.pass_one(box, direction, sent, payload).segment.options.mptcp.empty();
  };
  Seen seen{};
  seen.syn = keeps(kForward, loaded(kForward, "S", 100));
  seen.synack = keeps(kBackward, loaded(kBackward, "SA", 500, 101));
  seen.third_ack = keeps(kForward, loaded(kForward, "A", 101, 501));
  seen.data = keeps(kForward, loaded(kForward, "A", 101, 501), "data");
  seen.ack = keeps(kBackward, loaded(kBackward, "A", 501, 105));
  return seen;
}
Seen with(std::vector<std::string> segments) {
  BoxBench bench;
  OptionRemover box({.segments = std::move(segments)});
  return pass_connection(bench, box);
}

TEST(OptionRemover, ActsWhereItIsTold) {
  EXPECT_EQ(with({}), (Seen{false, false, false, false, false}));
  EXPECT_EQ(with({"syn"}), (Seen{false, true, true, true, true}));
  EXPECT_EQ(with({"synack"}), (Seen{true, false, true, true, true}));
  EXPECT_EQ(with({"third_ack"}), (Seen{true, true, false, true, true}));
  EXPECT_EQ(with({"ack"}), (Seen{true, true, false, false, true}));
  EXPECT_EQ(with({"data"}), (Seen{true, true, true, true, false}));
}

TEST(OptionRemover, OneDirectionOnly) {
  BoxBench bench;
  OptionRemover box({.forward = false});
  EXPECT_EQ(pass_connection(bench, box), (Seen{true, false, true, false, true}));
}

TEST(OptionRemover, TakesNothingElse) {
  BoxBench bench;
  OptionRemover box({});
  auto sent = loaded(kForward, "S", 100);
  const auto syn = bench.pass_one(box, kForward, sent).segment.options;
  sent.options.mptcp.clear();
  EXPECT_EQ(syn, sent.options);
}

TEST(OptionRemover, ByName) {
  const auto after = [](std::vector<std::string> names, const char* flags) {
    BoxBench bench;
    OptionRemover box({.options = std::move(names)});
    return bench.pass_one(box, kForward, loaded(kForward, flags, 100, 1)).segment.options;
  };
  EXPECT_FALSE(after({"mss"}, "S").mss.has_value());
  EXPECT_FALSE(after({"window_scale"}, "S").window_scale.has_value());
  EXPECT_FALSE(after({"sack_permitted"}, "S").sack_permitted);
  EXPECT_FALSE(after({"timestamps"}, "S").timestamps.has_value());
  EXPECT_TRUE(after({"mp_capable"}, "S").mptcp.empty());
  EXPECT_EQ(after({"mp_join"}, "S").mptcp.size(), 1u);
  const auto prio_left = after({"dss"}, "A").mptcp;
  ASSERT_EQ(prio_left.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<wire::MpPrio>(prio_left[0]));
}

TEST(OptionRemover, FromATimeOn) {
  BoxBench bench;
  OptionRemover box({.from = 1s});
  EXPECT_EQ(pass_connection(bench, box), (Seen{true, true, true, true, true}));
  bench.now += 1s;
  EXPECT_TRUE(bench.pass_one(box, kForward, loaded(kForward, "A", 105, 501)).segment.options.mptcp.empty());
}

TEST(OptionRemover, AfterSoManySegmentsOfTheFlow) {
  BoxBench bench;
  OptionRemover box({.after_segments = 3});
  EXPECT_EQ(pass_connection(bench, box), (Seen{true, true, true, false, false}));
  EXPECT_EQ(pass_connection(bench, box), (Seen{true, true, true, false, false}));  // a SYN begins it anew
}

TEST(OptionRemover, CountsSegmentsBeforeItsTimeToo) {
  BoxBench bench;
  OptionRemover box({.from = 1s, .after_segments = 3});
  pass_connection(bench, box);
  bench.now += 1s;
  EXPECT_TRUE(bench.pass_one(box, kForward, loaded(kForward, "A", 105, 501)).segment.options.mptcp.empty());
}

}  // namespace
}  // namespace braid::sim
