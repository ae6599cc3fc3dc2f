// Flows by a list of when they begin and how large they are: workloads of kind "trace".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "base/time.h"

namespace braid::scenario {

struct TraceFlow {
  Time at{};  // from the workload's start on
  uint64_t bytes = 0;
  std::string from, to;  // empty: the workload's own
};

inline constexpr size_t kMostTraceFlows = 20'000;  // a port of the server each

/// A line a flow: "time_s,bytes" or "time_s,bytes,from,to". Empty lines, those that begin with #, and a first
/// line with these names are passed over. The error is for people: "NAME:LINE: ...".
tl::expected<std::vector<TraceFlow>, std::string> parse_flow_trace(std::string_view text,
                                                                   std::string_view name);

}  // namespace braid::scenario
