// A link's capacity over time as recordings have it, in mahimahi's format: a line is a time in milliseconds
// at which 1500 octets could be delivered; after the last line it begins again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "base/time.h"

namespace braid::sim {

class RateTrace {
 public:
  static constexpr uint32_t kOpportunityBytes = 1500;

  /// The error says which line is wrong, and how.
  static tl::expected<RateTrace, std::string> parse(std::string_view text);

  /// The first opportunity at `at` or later, and the one after a given one: counted from the start of time.
  uint64_t first_at(Time at) const;
  Time time_of(uint64_t opportunity) const;
  double mean_bits_per_second() const;

 private:
  std::vector<uint32_t> milliseconds_;  // ascending
};

}  // namespace braid::sim
