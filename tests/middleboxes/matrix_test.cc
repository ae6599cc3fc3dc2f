// Two hosts with every kind of middlebox at every place: where plain TCP would deliver, Braid delivers, byte
// for byte, over several paths where that can be; and docs/middleboxes.md says what really happens.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <tuple>

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

/// One row over one family; a run costs a few milliseconds, so all checks share it.
class Through : public ::testing::TestWithParam<std::tuple<Row, wire::Family>> {
 protected:
  static void expect_delivery(const Row& row, Place place, const Outcome& outcome, bool would_deliver) {
    if (is_known_difference(row, place)) {
      // Else it is not one any more, and should be taken off the list.
      EXPECT_TRUE(would_deliver && !is_delivered(outcome));
      return;
    }
    EXPECT_TRUE(is_delivered(outcome) || !would_deliver) << static_cast<int>(outcome.delivery);
    // Only a box that rewrites may have other bytes delivered.
    if (is_delivered(outcome) && row.box != "payload-rewriter") {
      EXPECT_EQ(outcome.delivery, Outcome::Delivery::kExact);
    }
  }
  static void expect_multipath(const Row& row, Place place, const Outcome& outcome) {
    if (place == Place::kOnePath && is_delivered(outcome)) {
      EXPECT_EQ(to_string(outcome.client), to_string(row.reason));
      EXPECT_EQ(outcome.is_multipath, row.reason == mptcp::FallbackReason::kNone);
    }
    if (place == Place::kFirst && is_delivered(outcome) && row.paths) {
      EXPECT_EQ(outcome.paths_in_use, *row.paths);
    }
    // Neither on the path of a join nor after it does a box make plain TCP of the connection.
    if (place == Place::kSecond || place == Place::kFirstLater || place == Place::kSecondLater) {
      EXPECT_TRUE(outcome.is_multipath);
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Boxes, Through,
                         ::testing::Combine(::testing::ValuesIn(rows()),
                                            ::testing::Values(wire::Family::kV4, wire::Family::kV6)),
                         [](const auto& made) {
                           return std::get<0>(made.param).label +
                                  (std::get<1>(made.param) == wire::Family::kV4 ? "V4" : "V6");
                         });

TEST_P(Through, DeliversWherePlainTcpDoesAndFallsBackOnlyWhereItMust) {
  const auto& [row, family] = GetParam();
  for (const Place place : kPlaces) {
    SCOPED_TRACE(to_string(place));
    const Outcome outcome = run(row, place, family);
    expect_delivery(row, place, outcome, is_delivered(run(row, place, family, false)));
    expect_multipath(row, place, outcome);
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
