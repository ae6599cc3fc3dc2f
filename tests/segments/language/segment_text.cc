#include "segments/language/segment_text.h"

#include <algorithm>
#include <array>

#include "segments/language/script_error.h"
#include "segments/language/words.h"

namespace braid::segments {

namespace {

constexpr std::string_view kFlagOrder = "SFRPEWU.";
constexpr std::array kLonelyFields = {"backup", "fin", "echo", "transient"};
/// Options whose first word is a value without a name.
constexpr std::array kPositional = {"mss", "ws", "ts", "tfo", "raw", "sack", "kind"};
/// Compared only if the expectation has them.
constexpr std::array kNegotiated = {"mss", "ws", "sackOK", "ts"};

bool is_in(const auto& list, std::string_view word) { return std::ranges::find(list, word) != list.end(); }

std::string rest_of(Words& words) {
  std::string all = words.take();
  while (!words.is_empty()) all += " " + words.take();
  return all;
}

OptionText parse_option(Words& words) {
  OptionText option{words.take(), {}};
  if (is_in(kPositional, option.name)) {
    option.add("value", option.name == "sack" ? rest_of(words) : words.take());
  }
  while (!words.is_empty()) {
    const std::string field = words.take();
    if (is_in(kLonelyFields, field)) {
      option.add(field);
    } else if (field.size() == 2 && field[0] == 'v' && is_number(field.substr(1))) {
      option.add("version", field.substr(1));
    } else if (field == "keys") {
      const std::string first = words.take();
      option.add(field, first + " " + words.take());
    } else if (option.name == "removeaddr" && field == "id") {
      option.add(field, rest_of(words));
    } else {
      option.add(field, words.take());
    }
  }
  return option;
}

void parse_options(std::string_view list, SegmentText& segment) {
  while (!list.empty()) {
    const size_t comma = list.find(',');
    std::vector<std::string> option = split_words(list.substr(0, comma));
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
    if (option.empty()) continue;
    if (option.size() == 1 && option[0] == "*") {
      segment.are_options_any = true;
    } else if (option[0] == "no" && option.size() == 2) {
      segment.absent.push_back(option[1]);
    } else {
      Words words(std::move(option));
      segment.options.push_back(parse_option(words));
    }
  }
}

std::string canonical_flags(const std::string& written) {
  std::string flags;
  for (const char flag : kFlagOrder) {
    if (written.find(flag) != std::string::npos) flags += flag;
  }
  if (flags.size() != written.size() && written != "-") throw ScriptError("not flags: " + written);
  return flags;
}

std::optional<std::string> differing_fields(const OptionText& expected, const OptionText& came) {
  for (const OptionField& field : expected.fields) {
    const std::string* value = came.find(field.name);
    if (value == nullptr) return expected.name + " without " + field.name;
    const bool is_same =
        field.value == "*" || field.value == *value ||
        (is_number(field.value) && is_number(*value) && to_unsigned(field.value) == to_unsigned(*value));
    if (!is_same) return expected.name + "'s " + field.name + " is " + *value;
  }
  const bool is_partial = is_in(kNegotiated, expected.name);
  for (const OptionField& field : came.fields) {
    if (!is_partial && !expected.has(field.name)) {
      return expected.name + " with " + field.name + (field.value.empty() ? "" : " " + field.value);
    }
  }
  return std::nullopt;
}

std::optional<std::string> differing_options(const SegmentText& expected, const SegmentText& came) {
  for (const std::string& name : expected.absent) {
    if (std::ranges::find(came.options, name, &OptionText::name) != came.options.end())
      return "there is " + name;
  }
  if (expected.are_options_any) return std::nullopt;
  std::vector<const OptionText*> left;
  for (const OptionText& option : came.options) {
    if (!is_in(kNegotiated, option.name)) left.push_back(&option);
  }
  for (const OptionText& option : expected.options) {
    if (is_in(kNegotiated, option.name)) {
      const auto found = std::ranges::find(came.options, option.name, &OptionText::name);
      if (found == came.options.end()) return "there is no " + option.name;
      if (auto why = differing_fields(option, *found)) return why;
      continue;
    }
    if (left.empty() || left.front()->name != option.name)
      return "there is no " + option.name + " in its place";
    if (auto why = differing_fields(option, *left.front())) return why;
    left.erase(left.begin());
  }
  if (!left.empty()) return "there is " + left.front()->name;
  return std::nullopt;
}

template <class T>
std::optional<std::string> differing(std::string_view name, const std::optional<T>& expected,
                                     const std::optional<T>& came) {
  if (!expected.has_value() || expected == came) return std::nullopt;
  return std::string(name) + (came.has_value() ? " is " + std::to_string(*came) : " is missing");
}

}  // namespace

const std::string* OptionText::find(std::string_view field) const {
  const auto found = std::ranges::find(fields, field, &OptionField::name);
  return found == fields.end() ? nullptr : &found->value;
}

void OptionText::add(std::string_view field, std::string value) {
  fields.push_back({std::string(field), std::move(value)});
}

std::string OptionText::to_string() const {
  std::string text = name;
  for (const OptionField& field : fields) {
    if (field.name == "value") {
      text += " " + field.value;
    } else if (field.name == "version") {
      text += " v" + field.value;
    } else {
      text += " " + field.name + (field.value.empty() ? "" : " " + field.value);
    }
  }
  return text;
}

std::string SegmentText::to_string() const {
  std::string text = flags.empty() ? "-" : flags;
  const auto add = [&text](std::string_view name, const auto& value) {
    if (value.has_value()) text += " " + std::string(name) + " " + std::to_string(*value);
  };
  add("seq", seq);
  add("ack", ack);
  if (len.value_or(0) > 0) add("len", len);
  add("win", win);
  if (tos.value_or(0) != 0) add("tos", tos);
  if (ttl.value_or(64) != 64) add("ttl", ttl);
  if (has_flag('U')) add("urg", urg);
  std::string list;
  for (const OptionText& option : options) list += (list.empty() ? "" : ", ") + option.to_string();
  return list.empty() ? text : text + " <" + list + ">";
}

SegmentText parse_segment(std::string_view text) {
  SegmentText segment;
  if (const size_t open = text.find('<'); open != std::string_view::npos) {
    const size_t close = text.rfind('>');
    if (close == std::string_view::npos || close < open) throw ScriptError("the list of options has no end");
    parse_options(text.substr(open + 1, close - open - 1), segment);
    text = text.substr(0, open);
  }
  Words words(split_words(text));
  segment.flags = canonical_flags(words.take());
  while (!words.is_empty()) {
    const std::string word = words.take();
    if (word == "corrupt") {
      segment.is_corrupt = true;
    } else if (word == "bad-checksum") {
      segment.is_checksum_bad = true;
    } else if (word == "seq") {
      segment.seq = to_number(words.take());
    } else if (word == "ack") {
      segment.ack = to_number(words.take());
    } else if (word == "len") {
      segment.len = static_cast<uint32_t>(to_number(words.take()));
    } else if (word == "win") {
      segment.win = static_cast<uint32_t>(to_number(words.take()));
    } else if (word == "urg") {
      segment.urg = static_cast<uint32_t>(to_number(words.take()));
    } else if (word == "tos") {
      segment.tos = static_cast<uint32_t>(to_number(words.take()));
    } else if (word == "ttl") {
      segment.ttl = static_cast<uint32_t>(to_number(words.take()));
    } else if (word == "from") {
      segment.from = words.take();
    } else if (word == "to") {
      segment.to = words.take();
    } else if (word == "port") {
      segment.port = static_cast<uint16_t>(to_number(words.take()));
    } else if (word == "data") {
      segment.data = to_unsigned(words.take());
    } else {
      throw ScriptError("not understood: " + word);
    }
  }
  return segment;
}

std::optional<std::string> difference(const SegmentText& expected, const SegmentText& came) {
  if (expected.flags != came.flags) return "the flags are " + (came.flags.empty() ? "-" : came.flags);
  if (auto why = differing("seq", expected.seq, came.seq)) return why;
  if (came.has_flag('.')) {
    if (auto why = differing("ack", expected.ack, came.ack)) return why;
  }
  if (expected.len.value_or(0) != came.len.value_or(0))
    return "len is " + std::to_string(came.len.value_or(0));
  if (auto why = differing("win", expected.win, came.win)) return why;
  if (auto why = differing("urg", expected.urg, came.urg)) return why;
  if (auto why = differing("tos", expected.tos, came.tos)) return why;
  if (auto why = differing("ttl", expected.ttl, came.ttl)) return why;
  if (auto why = differing("port", expected.port, came.port)) return why;
  return differing_options(expected, came);
}

}  // namespace braid::segments
