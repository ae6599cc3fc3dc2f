#include "sim/rate_trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace braid::sim {

tl::expected<RateTrace, std::string> RateTrace::parse(std::string_view text) {
  RateTrace trace;
  for (size_t line = 1; !text.empty(); ++line) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view row = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (!row.empty() && (row.back() == '\r' || row.back() == ' ')) row.remove_suffix(1);
    if (row.empty() || row.front() == '#') continue;
    uint32_t value = 0;
    const auto [rest, error] = std::from_chars(row.data(), row.data() + row.size(), value);
    if (error != std::errc() || rest != row.data() + row.size()) {
      return tl::unexpected(fmt::format("line {}: expected a time in milliseconds, found \"{}\"", line, row));
    }
    if (!trace.milliseconds_.empty() && value < trace.milliseconds_.back()) {
      return tl::unexpected(fmt::format("line {}: {} comes after {}: times must not go back", line, value,
                                        trace.milliseconds_.back()));
    }
    trace.milliseconds_.push_back(value);
  }
  if (trace.milliseconds_.empty() || trace.milliseconds_.back() == 0) {
    return tl::unexpected(std::string("a trace needs at least one line with a time over 0"));
  }
  return trace;
}

uint64_t RateTrace::first_at(Time at) const {
  const auto period = static_cast<uint64_t>(milliseconds_.back());
  const auto ms = static_cast<uint64_t>((at.time_since_epoch() + 1ms - 1ns) / 1ms);
  // An opportunity at the period's very end belongs to it, not to the next.
  const uint64_t round = ms == 0 ? 0 : (ms - 1) / period;
  const auto within = static_cast<uint32_t>(ms - round * period);
  const auto found = std::lower_bound(milliseconds_.begin(), milliseconds_.end(), within);
  return round * milliseconds_.size() + static_cast<uint64_t>(found - milliseconds_.begin());
}

Time RateTrace::time_of(uint64_t opportunity) const {
  const uint64_t round = opportunity / milliseconds_.size();
  const uint64_t ms = round * milliseconds_.back() + milliseconds_[opportunity % milliseconds_.size()];
  return Time(std::chrono::milliseconds(ms));
}

double RateTrace::mean_bits_per_second() const {
  return static_cast<double>(milliseconds_.size()) * kOpportunityBytes * 8e3 / milliseconds_.back();
}

}  // namespace braid::sim
