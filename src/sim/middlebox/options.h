// Parameters of a middlebox by name, as a scenario file gives them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/time.h"

namespace braid::sim {

using MiddleboxValue = std::variant<bool, int64_t, double, std::string, std::vector<std::string>>;
using MiddleboxOptions = std::vector<std::pair<std::string, MiddleboxValue>>;

/// Reads them one by one; afterwards error() says what was wrong first, a name that nobody asked for
/// included.
class OptionReader {
 public:
  OptionReader(std::string_view box, const MiddleboxOptions& options) : box_(box), options_(options) {}

  bool flag(std::string_view name, bool fallback);
  int64_t integer(std::string_view name, int64_t fallback, int64_t least, int64_t most);
  /// Seconds as a number, or "200ms", "30s", "2min".
  Duration duration(std::string_view name, Duration fallback);
  std::string text(std::string_view name, std::string fallback);
  /// One of `choices`.
  std::string choice(std::string_view name, std::string fallback, const std::vector<std::string>& choices);
  /// An array, or one string; each of `choices` unless that is empty.
  std::vector<std::string> list(std::string_view name, std::vector<std::string> fallback,
                                const std::vector<std::string>& choices);
  /// Numbers, or ranges such as "8000-8999": one, or an array. Not empty, or it complains.
  std::vector<std::pair<uint16_t, uint16_t>> ports(std::string_view name);
  bool has(std::string_view name);
  void complain(std::string_view name, const std::string& expected);
  /// Call last. Empty: all is well.
  std::string error();

 private:
  const MiddleboxValue* take(std::string_view name);

  std::string box_;
  const MiddleboxOptions& options_;
  std::vector<std::string> known_;
  std::string error_;
};

}  // namespace braid::sim
