#include "cli/pm_words.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "config/closest.h"
#include "wire/address.h"

namespace braid::cli {

namespace {

using nlohmann::json;

enum class Value : uint8_t { kToken, kNumber, kAddress, kTrue, kFalse };

/// A word, and the member of the request that it, or the word after it, is.
struct Word {
  std::string_view word;
  const char* member;
  Value value;
  int least = 0, most = 0;
};

struct Action {
  std::string_view name;
  std::vector<Word> words;
  const char* bare = nullptr;  // the member that an address without a word before it is
  std::vector<const char*> needed;
};

const std::vector<Action>& actions() {
  static const Word kToken = {"token", "token", Value::kToken};
  static const Word kSubflow = {"subflow", "subflow", Value::kNumber, 0, 255};
  static const Word kBackup = {"backup", "backup", Value::kTrue};
  static const std::vector<Action> kActions = {
      {"announce",
       {kToken,
        {"address", "address", Value::kAddress},
        {"port", "port", Value::kNumber, 1, 65535},
        {"id", "id", Value::kNumber, 1, 255}},
       "address",
       {"address", "token"}},
      {"remove", {kToken, {"id", "id", Value::kNumber, 0, 255}}, nullptr, {"id", "token"}},
      {"open",
       {kToken,
        {"from", "local", Value::kAddress},
        {"to", "remote", Value::kAddress},
        {"port", "remote_port", Value::kNumber, 1, 65535},
        {"id", "remote_id", Value::kNumber, 0, 255},
        {"label", "label", Value::kNumber, 0, 63},
        kBackup},
       nullptr,
       {"token"}},
      {"close", {kToken, kSubflow}, nullptr, {"subflow", "token"}},
      {"set",
       {kToken, kSubflow, kBackup, {"nobackup", "backup", Value::kFalse}},
       nullptr,
       {"subflow", "backup", "token"}},
  };
  return kActions;
}

std::string_view word_of(const Action& action, std::string_view member) {
  const auto found = std::ranges::find(action.words, member, &Word::member);
  return found == action.words.end() ? member : found->word;
}

/// Hexadecimal, as `braid ss` shows them.
bool is_token(std::string_view text) {
  if (text.starts_with("0x")) text.remove_prefix(2);
  return !text.empty() && text.size() <= 8 &&
         text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

/// The error, or nothing.
std::string read_value(const Word& word, const std::string& text, json& request) {
  if (word.value == Value::kToken) {
    if (!is_token(text)) return fmt::format("{} is no token: eight hexadecimal digits, see `braid ss`", text);
    request[word.member] = text;
    return {};
  }
  if (word.value == Value::kAddress) {
    if (!wire::IpAddress::parse(text)) return fmt::format("{} is no IPv4 or IPv6 address", text);
    request[word.member] = text;
    return {};
  }
  int number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < word.least || number > word.most)
    return fmt::format("{} takes a number from {} to {}, not {}", word.word, word.least, word.most, text);
  request[word.member] = number;
  return {};
}

std::string unknown(const Action& action, const std::string& text) {
  std::vector<std::string_view> known;
  for (const Word& word : action.words) known.push_back(word.word);
  const std::string_view meant = config::closest(text, known);
  return meant.empty() ? fmt::format("'{}' is none of {}", text, fmt::join(known, ", "))
                       : fmt::format("there is no '{}'; did you mean '{}'?", text, meant);
}

}  // namespace

tl::expected<json, std::string> parse_pm_words(const std::string& name,
                                               const std::vector<std::string>& words) {
  const Action& action = *std::ranges::find(actions(), std::string_view(name), &Action::name);
  json request = {{"command", "pm"}, {"action", name}};
  for (size_t i = 0; i < words.size(); ++i) {
    const auto word = std::ranges::find(action.words, std::string_view(words[i]), &Word::word);
    if (word == action.words.end()) {
      const bool is_bare =
          action.bare != nullptr && !request.contains(action.bare) && wire::IpAddress::parse(words[i]);
      if (!is_bare) return tl::unexpected(unknown(action, words[i]));
      request[action.bare] = words[i];
    } else if (word->value == Value::kTrue || word->value == Value::kFalse) {
      request[word->member] = word->value == Value::kTrue;
    } else if (++i == words.size()) {
      return tl::unexpected(fmt::format("{} needs a value", word->word));
    } else if (std::string error = read_value(*word, words[i], request); !error.empty()) {
      return tl::unexpected(std::move(error));
    }
  }
  for (const char* member : action.needed) {
    if (!request.contains(member))
      return tl::unexpected(fmt::format("{} is needed", word_of(action, member)));
  }
  return request;
}

std::string format_event(const json& event) {
  std::string name = event.value("event", "?");
  std::ranges::transform(name, name.begin(), [](char c) { return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c; });
  std::string line = fmt::format("{:<14}", name);
  static constexpr const char* kFirst[] = {"token", "subflow", "local", "remote"};
  const auto add = [&](const std::string& key, const json& value) {
    line += fmt::format(" {}={}", key, value.is_string() ? value.get<std::string>() : value.dump());
  };
  for (const char* key : kFirst)
    if (event.contains(key)) add(key, event[key]);
  for (const auto& [key, value] : event.items()) {
    const bool is_first =
        std::ranges::any_of(kFirst, [&](const char* first) { return key == first; }) || key == "event";
    if (!is_first && key != "time_s") add(key, value);
  }
  return line;
}

}  // namespace braid::cli
