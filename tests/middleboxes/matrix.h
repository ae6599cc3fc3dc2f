// Every middlebox at every place where it can act, between two of Braid's hosts, on one path and on two: the
// table of docs/middleboxes.md, made by running it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mptcp/connection.h"
#include "sim/middlebox/options.h"
#include "wire/address.h"

namespace braid::middleboxes {

/// A box with settings.
struct Row {
  std::string label;  // of the test
  std::string box;
  sim::MiddleboxOptions options;
  /// What must come of it where it is delivered: the client's reason on one path, from the start; the paths
  /// in use with the box on the first of two.
  mptcp::FallbackReason reason = mptcp::FallbackReason::kNone;
  std::optional<size_t> paths =
      2;  // none: by timing the box loses so many mappings that the subflow is reset, or not
  bool has_checksum = false;  // the hosts ask for DSS checksums
};
const std::vector<Row>& rows();
/// For people: "`splitter` `bytes = 500`".
std::string describe(const Row& row);

/// Where the box stands, and from when on.
enum class Place : uint8_t {
  kOnePath,       // the only one
  kOnePathLater,  // comes in the middle of the transfer
  kFirst,         // of two paths: that of the connection's first subflow
  kSecond,        // of two paths: that of the join
  kBoth,
  kFirstLater,  // on the first path, after the join and a part of the transfer
  kSecondLater,
};
inline constexpr Place kPlaces[] = {Place::kOnePath, Place::kOnePathLater, Place::kFirst,      Place::kSecond,
                                    Place::kBoth,    Place::kFirstLater,   Place::kSecondLater};
std::string_view to_string(Place place);
constexpr bool has_two_paths(Place place) {
  return place != Place::kOnePath && place != Place::kOnePathLater;
}

/// What came of a transfer both ways.
struct Outcome {
  enum class Delivery : uint8_t {
    kExact,
    kRewritten,  // as the box made it, which is what plain TCP would deliver too
    kWrong,      // other bytes
    kError,      // an end was told that the connection failed
    kStuck,      // not all arrived in time
  };
  Delivery delivery = Delivery::kStuck;
  bool is_multipath = false;
  /// That carried data in the second half of the transfer.
  size_t paths_in_use = 0;
  mptcp::FallbackReason client = mptcp::FallbackReason::kNone, server = mptcp::FallbackReason::kNone;
  bool operator==(const Outcome&) const = default;
};
Outcome run(const Row& row, Place place, wire::Family family, bool is_multipath = true);

inline bool is_delivered(const Outcome& outcome) {
  return outcome.delivery == Outcome::Delivery::kExact || outcome.delivery == Outcome::Delivery::kRewritten;
}

}  // namespace braid::middleboxes
