#include "scenario/sweep/sweep_results.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace braid::scenario {

namespace {

struct MeasureName {
  const char* csv;
  const char* text;
  double scale;  // from the CSV's unit to the table's
  int digits;
};
constexpr std::array<MeasureName, kMeasures> kNames = {{
    {"goodput_bits_per_s", "goodput Mbit/s", 1e-6, 3},
    {"retransmissions", "retransmitted", 1, 0},
    {"delay_p50_s", "delay p50 ms", 1e3, 1},
    {"delay_p95_s", "p95 ms", 1e3, 1},
    {"delay_p99_s", "p99 ms", 1e3, 1},
    {"wasted_bytes", "wasted MB", 1e-6, 3},
}};

/// RFC 4180.
std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + '"';
}

/// Of UTF-8: bytes that begin one.
size_t letters(const std::string& text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

/// Columns as wide as their widest entry; the first `left` to the left, the others to the right.
std::string aligned(const std::vector<std::vector<std::string>>& lines, size_t left) {
  std::vector<size_t> widths(lines.front().size());
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], letters(line[i]));
  }
  std::string out;
  for (const auto& line : lines) {
    std::string text;
    for (size_t i = 0; i < line.size(); ++i) {
      const std::string gap = i == 0 ? "" : "   ";
      text += gap + (i < left ? fmt::format("{:<{}}", line[i], widths[i])
                              : fmt::format("{:>{}}", line[i], widths[i]));
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out += text + '\n';
  }
  return out;
}

}  // namespace

SweepRun SweepRun::of(const Results& results) {
  SweepRun run;
  run.seed = results.seed;
  run.is_sound = results.is_sound();
  run.values[static_cast<size_t>(Measure::kGoodput)] = results.goodput_bits_per_s();
  run.values[static_cast<size_t>(Measure::kRetransmissions)] = static_cast<double>(results.retransmissions);
  run.values[static_cast<size_t>(Measure::kWasted)] = static_cast<double>(results.wasted_bytes());
  if (results.delay.count > 0) {
    run.values[static_cast<size_t>(Measure::kDelayMedian)] = results.delay.median;
    run.values[static_cast<size_t>(Measure::kDelayP95)] = results.delay.p95;
    run.values[static_cast<size_t>(Measure::kDelayP99)] = results.delay.p99;
  }
  return run;
}

std::optional<SweepResults::Statistic> SweepResults::Row::statistic(Measure measure) const {
  std::vector<double> samples;
  for (const SweepRun& run : runs) {
    if (const auto& value = run.values[static_cast<size_t>(measure)]) samples.push_back(*value);
  }
  if (samples.empty()) return std::nullopt;
  const auto count = static_cast<double>(samples.size());
  Statistic statistic;
  for (const double value : samples) statistic.mean += value / count;
  for (const double value : samples)
    statistic.deviation += (value - statistic.mean) * (value - statistic.mean);
  statistic.deviation = count > 1 ? std::sqrt(statistic.deviation / (count - 1)) : 0;
  return statistic;
}

size_t SweepResults::Row::failures() const {
  return static_cast<size_t>(std::ranges::count(runs, false, &SweepRun::is_sound));
}

bool SweepResults::is_sound() const {
  return std::ranges::all_of(rows, [](const Row& row) { return row.failures() == 0; });
}

std::string SweepResults::to_text() const {
  const auto has = [&](Measure m) {
    return std::ranges::any_of(rows, [m](const Row& row) { return row.statistic(m).has_value(); });
  };
  std::vector<std::vector<std::string>> lines = {keys};
  for (size_t m = 0; m < kMeasures; ++m) {
    if (has(static_cast<Measure>(m))) lines[0].emplace_back(kNames[m].text);
  }
  if (!is_sound()) lines[0].emplace_back("failed runs");
  for (const Row& row : rows) {
    std::vector<std::string>& line = lines.emplace_back(row.values);
    for (size_t m = 0; m < kMeasures; ++m) {
      if (!has(static_cast<Measure>(m))) continue;
      const auto found = row.statistic(static_cast<Measure>(m));
      const MeasureName& name = kNames[m];
      line.push_back(!found      ? "-"
                     : seeds > 1 ? fmt::format("{:.{}f} ± {:.{}f}", found->mean * name.scale, name.digits,
                                               found->deviation * name.scale, name.digits)
                                 : fmt::format("{:.{}f}", found->mean * name.scale, name.digits));
    }
    if (!is_sound()) line.push_back(fmt::format("{} of {}", row.failures(), row.runs.size()));
  }
  const std::string over =
      seeds > 1 ? fmt::format("{} seeds each: mean ± standard deviation", seeds) : "one seed each";
  return fmt::format("{}: {} combination{}, {}\n\n", scenario, rows.size(), rows.size() == 1 ? "" : "s",
                     over) +
         aligned(lines, keys.size());
}

std::string SweepResults::to_csv() const {
  std::string out;
  for (const std::string& key : keys) out += quoted(key) + ',';
  out += "seeds,failed";
  for (const MeasureName& name : kNames)
    out += seeds > 1 ? fmt::format(",{0},{0}_sd", name.csv) : fmt::format(",{}", name.csv);
  out += '\n';
  for (const Row& row : rows) {
    for (const std::string& value : row.values) out += quoted(value) + ',';
    out += fmt::format("{},{}", row.runs.size(), row.failures());
    for (size_t m = 0; m < kMeasures; ++m) {
      const auto found = row.statistic(static_cast<Measure>(m));
      out += found ? fmt::format(",{:.9g}", found->mean) : ",";
      if (seeds > 1) out += found ? fmt::format(",{:.9g}", found->deviation) : ",";
    }
    out += '\n';
  }
  return out;
}

nlohmann::ordered_json SweepResults::to_json() const {
  nlohmann::ordered_json json = {{"scenario", scenario}, {"seeds", seeds}};
  json["rows"] = nlohmann::ordered_json::array();
  for (const Row& row : rows) {
    nlohmann::ordered_json one;
    for (size_t i = 0; i < keys.size(); ++i) one["values"][keys[i]] = row.values[i];
    one["failed"] = row.failures();
    for (size_t m = 0; m < kMeasures; ++m) {
      if (const auto found = row.statistic(static_cast<Measure>(m)))
        one[kNames[m].csv] = {{"mean", found->mean}, {"sd", found->deviation}};
    }
    one["runs"] = nlohmann::ordered_json::array();
    for (const SweepRun& run : row.runs) {
      nlohmann::ordered_json& made = one["runs"].emplace_back();
      made = {{"seed", run.seed}, {"sound", run.is_sound}};
      for (size_t m = 0; m < kMeasures; ++m) {
        if (run.values[m]) made[kNames[m].csv] = *run.values[m];
      }
    }
    json["rows"].push_back(std::move(one));
  }
  return json;
}

}  // namespace braid::scenario
