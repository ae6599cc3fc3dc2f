// "Did you mean ...?"
#pragma once

#include <string_view>
#include <vector>

namespace braid::config {

/// The candidate nearest to `word`, if any is near enough to be meant.
std::string_view closest(std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace braid::config
