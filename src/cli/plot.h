// Pictures, drawn by matplotlib.
#pragma once

#include <optional>
#include <string>

namespace braid::cli {

/// What is wrong with the name, for people: to be asked before something long is run.
std::optional<std::string> refuse_picture(const std::string& picture);

/// Time series of `braid sim`. `picture` ends in .svg or .png. What went wrong, if anything did, for people.
std::optional<std::string> draw_series(const std::string& csv, const std::string& picture,
                                       const std::string& title);
/// The table of `braid sweep`, of which the first `keys` columns are what varied. Likewise.
std::optional<std::string> draw_sweep(const std::string& csv, size_t keys, const std::string& picture,
                                      const std::string& title);

}  // namespace braid::cli
