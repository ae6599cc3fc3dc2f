// The daemon's answer about its uplinks, for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace braid::cli {

/// `answer`: of the control command "uplinks" (service/control.h).
std::string format_uplinks(const nlohmann::json& answer);

}  // namespace braid::cli
