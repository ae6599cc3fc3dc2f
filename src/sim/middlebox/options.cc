#include "sim/middlebox/options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace braid::sim {

namespace {

std::optional<Duration> parse_duration(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0 || number > 1e9) return std::nullopt;
  std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
  const double factor = unit == "s" ? 1 : unit == "ms" ? 1e-3 : unit == "us" ? 1e-6 : unit == "min" ? 60 : 0;
  if (factor == 0) return std::nullopt;
  return Duration(static_cast<int64_t>(number * factor * 1e9));
}

std::optional<std::pair<uint16_t, uint16_t>> parse_ports(std::string_view text) {
  uint16_t first = 0;
  const char* const end = text.data() + text.size();
  const auto begin = std::from_chars(text.data(), end, first);
  if (begin.ec != std::errc() || first == 0) return std::nullopt;
  if (begin.ptr == end) return std::pair(first, first);
  uint16_t last = 0;
  if (*begin.ptr != '-') return std::nullopt;
  const auto rest = std::from_chars(begin.ptr + 1, end, last);
  if (rest.ec != std::errc() || rest.ptr != end || last < first) return std::nullopt;
  return std::pair(first, last);
}

}  // namespace

const MiddleboxValue* OptionReader::take(std::string_view name) {
  known_.emplace_back(name);
  const auto found =
      std::find_if(options_.begin(), options_.end(), [&](const auto& o) { return o.first == name; });
  return found == options_.end() ? nullptr : &found->second;
}

void OptionReader::complain(std::string_view name, const std::string& expected) {
  if (error_.empty()) error_ = fmt::format("middlebox {}: {}: expected {}", box_, name, expected);
}

bool OptionReader::has(std::string_view name) { return take(name) != nullptr; }

bool OptionReader::flag(std::string_view name, bool fallback) {
  const MiddleboxValue* value = take(name);
  if (value == nullptr) return fallback;
  if (const bool* given = std::get_if<bool>(value)) return *given;
  complain(name, "true or false");
  return fallback;
}

int64_t OptionReader::integer(std::string_view name, int64_t fallback, int64_t least, int64_t most) {
  const MiddleboxValue* value = take(name);
  if (value == nullptr) return fallback;
  const int64_t* given = std::get_if<int64_t>(value);
  if (given != nullptr && *given >= least && *given <= most) return *given;
  complain(name, fmt::format("an integer from {} to {}", least, most));
  return fallback;
}

Duration OptionReader::duration(std::string_view name, Duration fallback) {
  const MiddleboxValue* value = take(name);
  if (value == nullptr) return fallback;
  std::optional<Duration> given;
  if (const auto* text = std::get_if<std::string>(value)) given = parse_duration(*text);
  if (const auto* whole = std::get_if<int64_t>(value);
      whole != nullptr && *whole >= 0 && *whole < 1'000'000'000)
    given = std::chrono::seconds(*whole);
  if (const auto* number = std::get_if<double>(value); number != nullptr && *number >= 0 && *number < 1e9)
    given = Duration(static_cast<int64_t>(*number * 1e9));
  if (given) return *given;
  complain(name, "a duration: seconds, or a string such as \"200ms\" or \"30s\"");
  return fallback;
}

std::string OptionReader::text(std::string_view name, std::string fallback) {
  const MiddleboxValue* value = take(name);
  if (value == nullptr) return fallback;
  if (const auto* given = std::get_if<std::string>(value)) return *given;
  complain(name, "a string");
  return fallback;
}

std::string OptionReader::choice(std::string_view name, std::string fallback,
                                 const std::vector<std::string>& choices) {
  std::string given = text(name, std::move(fallback));
  if (std::ranges::count(choices, given) == 0)
    complain(name, fmt::format("one of {}, found \"{}\"", fmt::join(choices, ", "), given));
  return given;
}

std::vector<std::string> OptionReader::list(std::string_view name, std::vector<std::string> fallback,
                                            const std::vector<std::string>& choices) {
  const MiddleboxValue* value = take(name);
  if (value == nullptr) return fallback;
  std::vector<std::string> given;
  if (const auto* one = std::get_if<std::string>(value)) {
    given = {*one};
  } else if (const auto* several = std::get_if<std::vector<std::string>>(value)) {
    given = *several;
  } else {
    complain(name, "a string or an array of strings");
    return fallback;
  }
  for (const std::string& item : given) {
    if (!choices.empty() && std::ranges::count(choices, item) == 0)
      complain(name, fmt::format("of {}, found \"{}\"", fmt::join(choices, ", "), item));
  }
  return given;
}

std::vector<std::pair<uint16_t, uint16_t>> OptionReader::ports(std::string_view name) {
  std::vector<std::string> texts;
  if (const MiddleboxValue* value = take(name)) {
    if (const auto* one = std::get_if<int64_t>(value)) texts = {std::to_string(*one)};
    if (const auto* one = std::get_if<std::string>(value)) texts = {*one};
    if (const auto* several = std::get_if<std::vector<std::string>>(value)) texts = *several;
  }
  std::vector<std::pair<uint16_t, uint16_t>> ranges;
  for (const std::string& text : texts) {
    if (const auto range = parse_ports(text)) ranges.push_back(*range);
  }
  if (ranges.empty() || ranges.size() != texts.size())
    complain(name, "ports from 1 to 65535, or ranges such as \"8000-8999\"");
  return ranges;
}

std::string OptionReader::error() {
  for (const auto& [name, value] : options_) {
    if (!error_.empty()) break;
    if (std::ranges::count(known_, name) == 0)
      error_ = fmt::format("middlebox {}: there is no \"{}\"; it takes {}", box_, name,
                           known_.empty() ? "nothing" : fmt::format("{}", fmt::join(known_, ", ")));
  }
  return error_;
}

}  // namespace braid::sim
