// What came of a sweep: a row a combination, means over its seeds.
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "scenario/results.h"

namespace braid::scenario {

/// What a sweep measures of each run.
enum class Measure : uint8_t { kGoodput, kRetransmissions, kDelayMedian, kDelayP95, kDelayP99, kWasted };
inline constexpr size_t kMeasures = 6;

/// One simulation: of one combination, with one seed.
struct SweepRun {
  uint64_t seed = 0;
  bool is_sound = true;  // no connection failed, no byte was wrong
  /// bit/s, segments, seconds, and octets; delays only where a workload has them.
  std::array<std::optional<double>, kMeasures> values;

  static SweepRun of(const Results& results);
};

struct SweepResults {
  struct Statistic {
    double mean = 0;
    double deviation = 0;  // of a sample, n - 1; 0 for one seed
  };
  struct Row {
    std::vector<std::string> values;  // of the keys
    std::vector<SweepRun> runs;       // one a seed
    /// Over the runs that have it; nothing if none has.
    std::optional<Statistic> statistic(Measure measure) const;
    size_t failures() const;
  };
  std::string scenario;
  uint32_t seeds = 1;
  std::vector<std::string> keys;
  std::vector<Row> rows;

  bool is_sound() const;
  std::string to_text() const;
  /// Deviations are columns when there is more than one seed; a delay that nothing has is empty.
  std::string to_csv() const;
  nlohmann::ordered_json to_json() const;
};

}  // namespace braid::scenario
