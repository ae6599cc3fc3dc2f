#include "sim/middlebox/payload_rewriter.h"

#include "sim/middlebox/testing/box_bench.h"

namespace braid::sim {
namespace {

using testing::BoxBench;
using testing::Emitted;
using testing::segment;
constexpr auto kForward = Direction::kForward, kBackward = Direction::kBackward;

/// A client that says "find" and a box that has another word for it.
class Rewriter {
 public:
  explicit Rewriter(std::string replace, uint64_t times = 1)
      : box({.find = "find", .replace = std::move(replace), .most_times = times}) {
    EXPECT_TRUE(bench.shake_hands(box));
  }
  Emitted send(uint32_t seq, std::string_view bytes) {
    return bench.pass_one(box, kForward, segment(kForward, "A", seq, 501), bytes);
  }
  /// What the client hears when the server acknowledges so much.
  uint32_t acknowledge(uint32_t ack) {
    return bench.pass_one(box, kBackward, segment(kBackward, "A", 501, ack)).segment.ack.value();
  }
  BoxBench bench;
  PayloadRewriter box;
};

TEST(PayloadRewriter, OfTheSameLength) {
  Rewriter r("gone");
  EXPECT_EQ(r.send(101, "a find b").text(), "a gone b");
  const Emitted next = r.send(109, "find");  // once only
  EXPECT_EQ(next.text(), "find");
  EXPECT_EQ(next.segment.seq, Seq32(109));
  EXPECT_EQ(r.acknowledge(113), 113u);
}

TEST(PayloadRewriter, LongerMovesWhatFollows) {
  Rewriter r("found it");
  EXPECT_EQ(r.send(101, "a find b").text(), "a found it b");  // four more
  const Emitted next = r.send(109, "next");
  EXPECT_EQ(next.segment.seq, Seq32(113));
  EXPECT_EQ(r.acknowledge(117), 113u);
  EXPECT_EQ(r.acknowledge(113), 109u);
  EXPECT_EQ(r.acknowledge(103), 103u);
  EXPECT_EQ(r.acknowledge(106), 103u);  // in the middle of the new word: none of the old one yet
  EXPECT_EQ(r.acknowledge(111), 107u);
}

TEST(PayloadRewriter, ShorterToo) {
  Rewriter r("x");
  EXPECT_EQ(r.send(101, "a find b").text(), "a x b");
  EXPECT_EQ(r.send(109, "next").segment.seq, Seq32(106));
  EXPECT_EQ(r.acknowledge(110), 113u);
  EXPECT_EQ(r.acknowledge(104), 107u);
}

TEST(PayloadRewriter, SackBlocksAreTranslatedBack) {
  Rewriter r("found it");
  r.send(101, "find");
  r.send(105, "next");
  auto ack = segment(kBackward, "A", 501, 101);
  ack.options.sack = {{Seq32(109), Seq32(113)}};
  const auto out = r.bench.pass_one(r.box, kBackward, ack).segment;
  ASSERT_EQ(out.options.sack.size(), 1u);
  EXPECT_EQ(out.options.sack[0], (wire::SackBlock{Seq32(105), Seq32(109)}));
}

TEST(PayloadRewriter, TheSameAgainIsReplacedAgain) {
  Rewriter r("found it");
  r.send(101, "a find b");
  r.send(109, "next");
  const Emitted again = r.send(101, "a find bnext");
  EXPECT_EQ(again.text(), "a found it bnext");
  EXPECT_EQ(again.segment.seq, Seq32(101));
}

TEST(PayloadRewriter, SeveralInOneSegment) {
  Rewriter r("xx", 2);
  EXPECT_EQ(r.send(101, "find find find").text(), "xx xx find");
  EXPECT_EQ(r.send(115, "next").segment.seq, Seq32(111));
  EXPECT_EQ(r.acknowledge(111), 115u);
}

TEST(PayloadRewriter, TakenOutWithoutAnythingInItsPlace) {
  Rewriter r("");
  // The receiver would not answer an empty segment: this one is old to it, so that it does.
  const Emitted hollow = r.send(101, "find");
  EXPECT_EQ(hollow.text(), "");
  EXPECT_EQ(hollow.segment.seq, Seq32(100));
  EXPECT_EQ(r.acknowledge(101), 105u);
}

TEST(PayloadRewriter, FoundTooLateItStays) {
  // Cut in two by the sender at first: what follows has its numbers already when the word comes whole.
  Rewriter r("found it");
  r.send(101, "a fi");
  r.send(105, "nd b");
  const Emitted again = r.send(101, "a find b");
  EXPECT_EQ(again.text(), "a find b");
  EXPECT_EQ(r.send(109, "next").segment.seq, Seq32(109));
}

TEST(PayloadRewriter, ACorruptSegmentHasNoPlaces) {
  Rewriter r("found it");
  r.bench.lets_bad_through = true;
  Packet packet = r.bench.packet(segment(kForward, "A", 101, 501), "a fixd b");
  writable_bytes(packet, r.bench.pool())[packet.bytes.size() - 4] = std::byte{'n'};
  packet.checksum = wire::ChecksumState::kUnverified;
  r.bench.pass(r.box, kForward, packet);
  EXPECT_EQ(r.send(109, "next").segment.seq, Seq32(109));
}

TEST(PayloadRewriter, TheOtherDirectionPasses) {
  Rewriter r("gone");
  EXPECT_EQ(r.bench.pass_one(r.box, kBackward, segment(kBackward, "A", 501, 101), "find").text(), "find");
}

}  // namespace
}  // namespace braid::sim
