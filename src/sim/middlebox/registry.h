// Middleboxes by name.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "sim/middlebox/middlebox.h"
#include "sim/middlebox/options.h"

namespace braid::sim {

struct MiddleboxKind {
  std::string_view name;
  std::string_view summary;
  /// A line each: "name (type, default): meaning".
  std::vector<std::string_view> parameters;
};
const std::vector<MiddleboxKind>& list_middleboxes();

/// The error says what was expected, for people.
tl::expected<std::unique_ptr<Middlebox>, std::string> make_middlebox(std::string_view name,
                                                                     const MiddleboxOptions& options,
                                                                     uint64_t seed);

}  // namespace braid::sim
