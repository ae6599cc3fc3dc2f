// What one `--vary` of `braid sweep` says.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace braid::scenario {

/// A key of the scenario, as in --set, and the values that it takes in turn.
struct Variation {
  std::string key;
  std::vector<std::string> values;
};

/// "KEY=A,B,C". A value may be a range: "1..10" is 1, 2 ... 10; "1..10:3" is 1, 4, 7, 10; with a unit at
/// the end of any of the three: "10..50:20ms". Commas within brackets, braces and quotes separate nothing.
/// The error is for people.
tl::expected<Variation, std::string> parse_variation(std::string_view text);

/// What a range may make; more is a mistake.
inline constexpr size_t kMostValues = 10'000;

}  // namespace braid::scenario
