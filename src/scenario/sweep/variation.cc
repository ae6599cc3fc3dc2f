#include "scenario/sweep/variation.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <optional>

namespace braid::scenario {

namespace {

std::vector<std::string_view> split_at_commas(std::string_view text) {
  std::vector<std::string_view> parts;
  size_t begin = 0;
  int depth = 0;
  char quote = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    const char c = i < text.size() ? text[i] : ',';
    if (i == text.size() || (c == ',' && depth == 0 && quote == 0)) {
      parts.push_back(text.substr(begin, i - begin));
      begin = i + 1;
    } else if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else {
      depth += (c == '[' || c == '{') ? 1 : (c == ']' || c == '}') ? -1 : 0;
    }
  }
  return parts;
}

struct Quantity {
  double number = 0;
  std::string_view unit;
};

std::optional<Quantity> read_quantity(std::string_view text) {
  Quantity quantity;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), quantity.number);
  if (error != std::errc() || !std::isfinite(quantity.number)) return std::nullopt;
  quantity.unit = text.substr(static_cast<size_t>(end - text.data()));
  return quantity;
}

std::string trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return std::string(text);
}

/// The values of "FROM..TO[:STEP]"; one value if it is no range; else what is wrong.
tl::expected<std::vector<std::string>, std::string> expand(std::string_view text) {
  const auto fail = [&](std::string_view why) {
    return tl::unexpected(fmt::format("\"{}\": {}", text, why));
  };
  const size_t dots = text.find("..");
  const auto from = dots == std::string_view::npos ? std::nullopt : read_quantity(text.substr(0, dots));
  if (!from) return std::vector<std::string>{trim(text)};  // a word, or a path such as ../lte.trace
  std::string_view rest = text.substr(dots + 2);
  const size_t colon = rest.find(':');
  const auto to = read_quantity(rest.substr(0, colon));
  const auto step = colon == std::string_view::npos ? Quantity{1, ""} : read_quantity(rest.substr(colon + 1));
  if (!to || !step) return fail("a range is FROM..TO or FROM..TO:STEP, such as 1..10:3 or 10..50:20ms");
  std::string unit;
  for (const std::string_view one : {from->unit, to->unit, step->unit}) {
    const std::string found = trim(one);
    if (!found.empty() && !unit.empty() && found != unit)
      return fail(fmt::format("the units differ: {} and {}; write all in one", unit, found));
    if (!found.empty()) unit = found;
  }
  if (step->number <= 0) return fail("the step must be over 0");
  if (to->number < from->number) return fail("the smaller number comes first: FROM..TO");
  // A hair more, since 0.1 is no binary fraction.
  const double count = std::floor((to->number - from->number) / step->number + 1e-9) + 1;
  if (count > static_cast<double>(kMostValues))
    return fail(fmt::format("that is {:.0f} values, {} at most; take a larger step", count, kMostValues));
  std::vector<std::string> values;
  for (size_t i = 0; i < static_cast<size_t>(count); ++i)
    values.push_back(fmt::format("{:.10g}{}", from->number + static_cast<double>(i) * step->number, unit));
  return values;
}

}  // namespace

tl::expected<Variation, std::string> parse_variation(std::string_view text) {
  const auto fail = [&](const std::string& why) {
    return tl::unexpected(fmt::format("--vary {}: {}", text, why));
  };
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0)
    return fail("expected KEY=VALUE,VALUE,... such as links.wifi.loss=0,0.01,0.02");
  Variation variation{std::string(text.substr(0, equals)), {}};
  for (const std::string_view part : split_at_commas(text.substr(equals + 1))) {
    auto values = expand(part);
    if (!values) return fail(values.error());
    for (std::string& value : *values) {
      if (value.empty()) return fail("a value is missing");
      variation.values.push_back(std::move(value));
    }
  }
  return variation;
}

}  // namespace braid::scenario
