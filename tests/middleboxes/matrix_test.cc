// Two hosts with every kind of middlebox at every place: where plain TCP would deliver, Braid delivers, byte
// for byte, over several paths where that can be; and docs/middleboxes.md says what really happens.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>

#include "middleboxes/matrix.h"
#include "middleboxes/page.h"
#include "sim/middlebox/registry.h"

namespace braid::middleboxes {
namespace {

bool is_known_difference(const Row& row, Place place) {
  return std::ranges::any_of(known_differences(), [&](const KnownDifference& known) {
    return known.row == row.label && known.place == place;
  });
}

class Through : public ::testing::TestWithParam<Row> {};
INSTANTIATE_TEST_SUITE_P(Boxes, Through, ::testing::ValuesIn(rows()),
                         [](const auto& made) { return made.param.label; });

TEST_P(Through, DeliversWhereverPlainTcpDoes) {
  const Row& row = GetParam();
  for (const Place place : kPlaces) {
    SCOPED_TRACE(to_string(place));
    const bool would_deliver = is_delivered(run(row, place, wire::Family::kV4, false));
    for (const wire::Family family : {wire::Family::kV4, wire::Family::kV6}) {
      const Outcome outcome = run(row, place, family);
      if (is_known_difference(row, place)) {
        // Else it is not one any more, and should be taken off the list.
        EXPECT_TRUE(would_deliver && !is_delivered(outcome));
      } else {
        EXPECT_TRUE(is_delivered(outcome) || !would_deliver) << static_cast<int>(outcome.delivery);
        // Unless plain TCP's bytes would be altered at that place, and there is no checksum to tell, none
        // are.
        if (is_delivered(outcome) && row.box != "payload-rewriter") {
          EXPECT_EQ(outcome.delivery, Outcome::Delivery::kExact);
        }
      }
    }
  }
}

TEST_P(Through, FallsBackOnlyWhereItMustAndSaysWhy) {
  const Row& row = GetParam();
  for (const wire::Family family : {wire::Family::kV4, wire::Family::kV6}) {
    const Outcome one = run(row, Place::kOnePath, family);
    if (is_delivered(one)) {
      EXPECT_EQ(to_string(one.client), to_string(row.reason));
      EXPECT_EQ(one.is_multipath, row.reason == mptcp::FallbackReason::kNone);
    }
    const Outcome two = run(row, Place::kFirst, family);
    if (is_delivered(two)) {
      EXPECT_EQ(two.paths_in_use, row.paths);
    }
    // A box on the path of a join never makes plain TCP of the connection.
    const Outcome joined = run(row, Place::kSecond, family);
    EXPECT_TRUE(joined.is_multipath);
    for (const Place place : {Place::kFirstLater, Place::kSecondLater}) {
      const Outcome later = run(row, place, family);
      EXPECT_TRUE(later.is_multipath) << to_string(place);
    }
  }
}

TEST(MiddleboxMatrix, HasEveryBox) {
  std::set<std::string_view> boxes;
  for (const Row& row : rows()) boxes.insert(row.box);
  for (const sim::MiddleboxKind& kind : sim::list_middleboxes()) {
    EXPECT_TRUE(boxes.contains(kind.name)) << kind.name;
    EXPECT_FALSE(introduce(kind.name).empty()) << kind.name;
  }
}

TEST(MiddleboxMatrix, KnownDifferencesAreOfRowsThatExist) {
  for (const KnownDifference& known : known_differences())
    EXPECT_EQ(std::ranges::count(rows(), known.row, &Row::label), 1) << known.row;
}

TEST(MiddleboxMatrix, ThePageIsWhatTheRunsGive) {
  std::ifstream in(BRAID_SOURCE_DIR "/docs/middleboxes.md", std::ios::binary);
  const std::string committed{std::istreambuf_iterator<char>(in), {}};
  const std::string made = make_page();
  if (made == committed) return;
  const auto at = std::ranges::mismatch(made, committed).in1 - made.begin();
  const auto line = std::count(made.begin(), made.begin() + at, '\n') + 1;
  FAIL() << "docs/middleboxes.md differs from line " << line
         << " on; if the change is meant: build/release/bin/middlebox_table docs/middleboxes.md";
}

}  // namespace
}  // namespace braid::middleboxes
