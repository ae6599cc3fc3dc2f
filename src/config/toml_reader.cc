#include "config/toml_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "config/closest.h"

namespace braid::config {

namespace {

std::string_view type_name(const toml::node& node) {
  if (node.is_table()) return "a table";
  if (node.is_array()) return "an array";
  if (node.is_string()) return "a string";
  if (node.is_integer()) return "an integer";
  if (node.is_floating_point()) return "a number";
  if (node.is_boolean()) return "true or false";
  return "a date or time";
}

struct Unit {
  std::string_view name;
  double factor;
};

// "200 ms": a number and one of the units.
std::optional<double> read_quantity(std::string_view text, std::span<const Unit> units) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || !std::isfinite(number) || number < 0) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  for (const Unit& unit : units) {
    if (unit.name == text) return number * unit.factor;
  }
  return std::nullopt;
}

constexpr Unit kSizeUnits[] = {{"", 1},     {"B", 1},         {"kB", 1e3},      {"KB", 1e3},     {"MB", 1e6},
                               {"GB", 1e9}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};
constexpr Unit kTimeUnits[] = {{"s", 1}, {"ms", 1e-3}, {"us", 1e-6}, {"min", 60}, {"h", 3600}};
constexpr Unit kRateUnits[] = {{"bit/s", 1}, {"kbit/s", 1e3}, {"Mbit/s", 1e6}, {"Gbit/s", 1e9}};
constexpr double kLongestSeconds = 1e9;

}  // namespace

void TomlErrors::add(const toml::source_position& where, const std::string& text) {
  findings_.push_back({where.line, where.column, text});
}

std::string TomlErrors::text() const {
  std::vector<std::string> lines;
  for (const TomlFinding& finding : findings_) lines.push_back(to_text(name_, finding));
  return fmt::format("{}", fmt::join(lines, "\n"));
}

std::string to_text(std::string_view name, const TomlFinding& finding) {
  return fmt::format("{}:{}:{}: {}", name, finding.line, finding.column, finding.text);
}

TomlTable::TomlTable(const toml::table* table, std::string name, TomlErrors& errors)
    : table_(table), name_(std::move(name)), errors_(errors) {}

const toml::node* TomlTable::take(std::string_view key) {
  known_.push_back(key);
  errors_.note_key(name_, key);
  return table_ != nullptr ? table_->get(key) : nullptr;
}

void TomlTable::expect(const toml::node& node, std::string_view key, const std::string& what) {
  errors_.add(node.source().begin,
              fmt::format("{} {}: expected {}, found {}", name_, key, what, type_name(node)));
}

void TomlTable::complain(std::string_view key, const std::string& text) {
  const toml::node* node = table_ != nullptr ? table_->get(key) : nullptr;
  const auto where = node != nullptr     ? node->source().begin
                     : table_ != nullptr ? table_->source().begin
                                         : toml::source_position{1, 1};
  errors_.add(where, fmt::format("{} {}: {}", name_, key, text));
}

void TomlTable::read(std::string_view key, bool& out) {
  const toml::node* node = take(key);
  if (node == nullptr) return;
  if (const auto value = node->value_exact<bool>()) {
    out = *value;
  } else {
    expect(*node, key, "true or false");
  }
}

void TomlTable::read(std::string_view key, std::string& out) {
  const toml::node* node = take(key);
  if (node == nullptr) return;
  if (const auto value = node->value_exact<std::string>()) {
    out = *value;
  } else {
    expect(*node, key, "a string");
  }
}

void TomlTable::read(std::string_view key, std::vector<std::string>& out) {
  const toml::node* node = take(key);
  if (node == nullptr) return;
  const toml::array* array = node->as_array();
  if (array == nullptr) return expect(*node, key, "an array of strings");
  std::vector<std::string> values;
  for (const toml::node& element : *array) {
    const auto value = element.value_exact<std::string>();
    if (!value) return expect(element, key, "strings in the array");
    values.push_back(*value);
  }
  out = std::move(values);
}

bool TomlTable::read_integer(std::string_view key, int64_t& out, int64_t least, int64_t most) {
  const toml::node* node = take(key);
  if (node == nullptr) return false;
  const auto value = node->value_exact<int64_t>();
  if (!value) {
    expect(*node, key, fmt::format("an integer from {} to {}", least, most));
    return false;
  }
  if (*value < least || *value > most) {
    complain(key, fmt::format("{} is out of range: {} to {}", *value, least, most));
    return false;
  }
  out = *value;
  return true;
}

void TomlTable::read_choice(std::string_view key, std::string& out, const std::vector<std::string>& names) {
  std::string value = out;
  read(key, value);
  if (value == out || std::ranges::count(names, value) > 0) {
    out = value;
    return;
  }
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  const std::string_view meant = closest(value, candidates);
  complain(key, meant.empty() ? fmt::format("there is no \"{}\": one of {}", value, fmt::join(names, ", "))
                              : fmt::format("there is no \"{}\"; did you mean \"{}\"? One of {}", value,
                                            meant, fmt::join(names, ", ")));
}

void TomlTable::read_size(std::string_view key, uint64_t& out, uint64_t least, uint64_t most) {
  const toml::node* node = take(key);
  if (node == nullptr) return;
  std::optional<double> bytes;
  if (const auto number = node->value_exact<int64_t>()) bytes = static_cast<double>(*number);
  if (const auto text = node->value_exact<std::string>()) bytes = read_quantity(*text, kSizeUnits);
  if (!bytes) return expect(*node, key, "a size: bytes, or a string such as \"256 KiB\" or \"4 MiB\"");
  if (*bytes < static_cast<double>(least) || *bytes > static_cast<double>(most)) {
    return complain(key, fmt::format("out of range: {} to {} bytes", least, most));
  }
  out = static_cast<uint64_t>(*bytes);
}

void TomlTable::read_duration(std::string_view key, Duration& out) {
  const toml::node* node = take(key);
  if (node == nullptr) return;
  std::optional<double> seconds;
  if (node->is_number()) seconds = node->value<double>();
  if (const auto text = node->value_exact<std::string>()) seconds = read_quantity(*text, kTimeUnits);
  if (!seconds || *seconds < 0 || *seconds > kLongestSeconds) {
    return expect(*node, key, "a duration: seconds, or a string such as \"200 ms\" or \"10 s\"");
  }
  out = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(*seconds));
}

void TomlTable::read_rate(std::string_view key, uint64_t& out) {
  const toml::node* node = take(key);
  if (node == nullptr) return;
  std::optional<double> bits;
  if (node->is_number()) bits = node->value<double>();
  if (const auto text = node->value_exact<std::string>()) bits = read_quantity(*text, kRateUnits);
  if (!bits || *bits < 0 || *bits > 1e13) {
    return expect(*node, key, "a rate: bits per second, or a string such as \"10 Mbit/s\" or \"1 Gbit/s\"");
  }
  out = static_cast<uint64_t>(*bits);
}

void TomlTable::read_number(std::string_view key, double& out, double least, double most) {
  const toml::node* node = take(key);
  if (node == nullptr) return;
  const std::optional<double> value = node->is_number() ? node->value<double>() : std::nullopt;
  if (!value || *value < least || *value > most)
    return expect(*node, key, fmt::format("a number from {} to {}", least, most));
  out = *value;
}

const toml::table* TomlTable::read_table(std::string_view key) {
  const toml::node* node = take(key);
  if (node != nullptr && !node->is_table()) expect(*node, key, "a table");
  return node == nullptr ? nullptr : node->as_table();
}

const toml::array* TomlTable::read_array(std::string_view key, std::string_view expected) {
  const toml::node* node = take(key);
  if (node != nullptr && !node->is_array()) expect(*node, key, std::string(expected));
  return node == nullptr ? nullptr : node->as_array();
}

void TomlTable::read_port_range(std::string_view key, uint16_t& first, uint16_t& last) {
  std::string text;
  read(key, text);
  if (text.empty()) return;
  const char* const end = text.data() + text.size();
  uint16_t from = 0, to = 0;
  const auto [dash, error] = std::from_chars(text.data(), end, from);
  const bool has_dash = error == std::errc() && dash != end && *dash == '-';
  const auto rest = has_dash ? std::from_chars(dash + 1, end, to) : std::from_chars_result{dash, error};
  if (!has_dash || rest.ec != std::errc() || rest.ptr != end || from == 0 || from > to) {
    return complain(key, "expected a range of ports such as \"61000-64999\"");
  }
  first = from;
  last = to;
}

bool TomlTable::read_address(std::string_view key, wire::IpAddress& out) {
  std::string text;
  read(key, text);
  if (text.empty()) return false;
  const auto address = wire::IpAddress::parse(text);
  if (!address) {
    complain(key, fmt::format("\"{}\" is no IPv4 or IPv6 address", text));
    return false;
  }
  out = *address;
  return true;
}

void TomlTable::refuse_others() {
  if (table_ == nullptr) return;
  for (const auto& [key, node] : *table_) {
    if (std::ranges::count(known_, key.str()) > 0) continue;
    const std::string_view meant = closest(key.str(), known_);
    errors_.add(key.source().begin, meant.empty() ? fmt::format("{} has no key \"{}\"", name_, key.str())
                                                  : fmt::format("{} has no key \"{}\"; did you mean \"{}\"?",
                                                                name_, key.str(), meant));
  }
}

}  // namespace braid::config
