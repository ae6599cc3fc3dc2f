// Words and numbers of the scenario language.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace braid::segments {

/// Splits at white space; '=' counts as such, so that `key=$local` and `key $local` are the same.
std::vector<std::string> split_words(std::string_view text);
/// Decimal, or hexadecimal with 0x; may be negative. ScriptError if it is neither.
int64_t to_number(std::string_view word);
uint64_t to_unsigned(std::string_view word);  ///< all 64 bits
bool is_number(std::string_view word);
/// "0.2" (seconds), "40ms", "5us", "3s".
Duration to_duration(std::string_view word);
std::vector<uint8_t> from_hex(std::string_view digits);
std::string to_hex(const std::vector<uint8_t>& bytes);

/// Takes words one by one, with errors that name what is missing.
class Words {
 public:
  explicit Words(std::vector<std::string> words) : words_(std::move(words)) {}
  bool is_empty() const { return at_ == words_.size(); }
  const std::string& peek() const;
  std::string take();
  /// Takes the next word if it is that one.
  bool take_if(std::string_view word);
  void expect_end() const;

 private:
  std::vector<std::string> words_;
  size_t at_ = 0;
};

}  // namespace braid::segments
