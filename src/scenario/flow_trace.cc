#include "scenario/flow_trace.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace braid::scenario {

namespace {

constexpr double kLatest_s = 1e6;
constexpr uint64_t kMostBytes = uint64_t{1} << 50;

std::string_view trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") + 1 - begin);
}

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (size_t next = text.find(at); next != std::string_view::npos; next = text.find(at)) {
    parts.push_back(trim(text.substr(0, next)));
    text.remove_prefix(next + 1);
  }
  parts.push_back(trim(text));
  return parts;
}

template <class Number>
bool read_whole(std::string_view text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

tl::expected<std::vector<TraceFlow>, std::string> parse_flow_trace(std::string_view text,
                                                                   std::string_view name) {
  std::vector<TraceFlow> flows;
  size_t number = 0;
  for (const std::string_view line : split(text, '\n')) {
    const auto fail = [&](const std::string& why) {
      return tl::unexpected(fmt::format("{}:{}: {}", name, number, why));
    };
    ++number;
    if (line.empty() || line[0] == '#') continue;
    const std::vector<std::string_view> fields = split(line, ',');
    if (flows.empty() && fields[0] == "time_s") continue;
    if (fields.size() != 2 && fields.size() != 4)
      return fail(fmt::format(
          "expected time_s,bytes or time_s,bytes,from,to, such as 0.25,20000; found \"{}\"", line));
    double at = 0;
    TraceFlow flow;
    if (!read_whole(fields[0], at) || !(at >= 0 && at <= kLatest_s))
      return fail(fmt::format("\"{}\" is no time: seconds, 0 or more", fields[0]));
    if (!read_whole(fields[1], flow.bytes) || flow.bytes == 0 || flow.bytes > kMostBytes)
      return fail(fmt::format("\"{}\" is no size: a whole number of bytes, 1 or more", fields[1]));
    flow.at = Time(Duration(std::llround(at * 1e9)));
    if (fields.size() == 4) {
      flow.from = fields[2];
      flow.to = fields[3];
    }
    flows.push_back(std::move(flow));
    if (flows.size() > kMostTraceFlows) return fail(fmt::format("more than {} flows", kMostTraceFlows));
  }
  if (flows.empty()) return tl::unexpected(fmt::format("{}: there is no flow in it", name));
  return flows;
}

}  // namespace braid::scenario
