// The daemon's answer to "ss" as text for people: a line a connection, two a subflow, within 100 columns.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace braid::cli {

/// `answer`: as service/control.h says.
std::string format_ss(const nlohmann::json& answer);

/// "0 B", "999 B", "1.2 kB", "34 MB": three digits at most, decimal units.
std::string format_bytes(uint64_t bytes);
/// "0.05 ms", "1.2 ms", "340 ms", "2.5 s".
std::string format_duration_us(double microseconds);

}  // namespace braid::cli
