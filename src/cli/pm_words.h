// The words of `braid pm`, as `ip mptcp` puts them, and the request that they are.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace braid::cli {

/// `action` is one of announce, remove, open, close, set. The error is for people.
tl::expected<nlohmann::json, std::string> parse_pm_words(const std::string& action,
                                                         const std::vector<std::string>& words);

/// An event, as a line for people: "SUBFLOW-UP  token=8f3d9c2e subflow=1 ...".
std::string format_event(const nlohmann::json& event);

}  // namespace braid::cli
