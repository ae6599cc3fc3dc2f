#include "segments/language/words.h"

#include <cctype>
#include <charconv>
#include <cmath>

#include "segments/language/script_error.h"

namespace braid::segments {

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : text) {
    if (std::isspace(static_cast<unsigned char>(c)) == 0 && c != '=') {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

namespace {

bool parse(std::string_view word, uint64_t& magnitude, bool& is_negative) {
  is_negative = word.starts_with('-');
  if (is_negative) word.remove_prefix(1);
  int base = 10;
  if (word.starts_with("0x")) {
    base = 16;
    word.remove_prefix(2);
  }
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), magnitude, base);
  return error == std::errc() && end == word.data() + word.size() && !word.empty();
}

}  // namespace

bool is_number(std::string_view word) {
  uint64_t magnitude = 0;
  bool is_negative = false;
  return parse(word, magnitude, is_negative);
}

uint64_t to_unsigned(std::string_view word) {
  uint64_t magnitude = 0;
  bool is_negative = false;
  if (!parse(word, magnitude, is_negative)) throw ScriptError("not a number: " + std::string(word));
  return is_negative ? 0 - magnitude : magnitude;
}

int64_t to_number(std::string_view word) { return static_cast<int64_t>(to_unsigned(word)); }

Duration to_duration(std::string_view word) {
  double value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  const std::string_view unit(end, static_cast<size_t>(word.data() + word.size() - end));
  double nanoseconds = 1e9;
  if (unit == "ms") {
    nanoseconds = 1e6;
  } else if (unit == "us") {
    nanoseconds = 1e3;
  } else if (error != std::errc() || !(unit.empty() || unit == "s")) {
    throw ScriptError("not a time: " + std::string(word));
  }
  return Duration(static_cast<Duration::rep>(std::llround(value * nanoseconds)));
}

std::vector<uint8_t> from_hex(std::string_view digits) {
  std::vector<uint8_t> bytes;
  if (digits.size() % 2 != 0) throw ScriptError("an odd number of hexadecimal digits");
  for (size_t i = 0; i < digits.size(); i += 2) {
    uint8_t byte = 0;
    const auto [end, error] = std::from_chars(digits.data() + i, digits.data() + i + 2, byte, 16);
    if (error != std::errc() || end != digits.data() + i + 2)
      throw ScriptError("not hexadecimal: " + std::string(digits));
    bytes.push_back(byte);
  }
  return bytes;
}

std::string to_hex(const std::vector<uint8_t>& bytes) {
  std::string text;
  for (const uint8_t byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

const std::string& Words::peek() const {
  if (is_empty()) throw ScriptError("something is missing at the end of the line");
  return words_[at_];
}

std::string Words::take() {
  std::string word = peek();
  ++at_;
  return word;
}

bool Words::take_if(std::string_view word) {
  if (is_empty() || words_[at_] != word) return false;
  ++at_;
  return true;
}

void Words::expect_end() const {
  if (!is_empty()) throw ScriptError("not understood: " + words_[at_]);
}

}  // namespace braid::segments
