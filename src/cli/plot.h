// Pictures of time series, drawn by matplotlib.
#pragma once

#include <optional>
#include <string>

namespace braid::cli {

/// `picture` ends in .svg or .png. What went wrong, if anything did, for people.
std::optional<std::string> draw_series(const std::string& csv, const std::string& picture,
                                       const std::string& title);

}  // namespace braid::cli
