// What the daemon answers to "why" and "events", as text for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace braid::cli {

/// The history of one connection, lines of `columns` at most where words allow; 0: not wrapped.
std::string format_why(const nlohmann::json& answer, int columns);
/// Those that are known, a line each.
std::string format_known(const nlohmann::json& answer);
/// "12:31:02.123 8f3d9c2e  Path 1 ... is up.": `wall_offset_s` is what makes the event's clock the wall's.
std::string format_decision(const nlohmann::json& event, double wall_offset_s);
/// "12:31:02", local time.
std::string clock_text(double unix_seconds);
/// Lines of `columns` at most, those after the first `indent` deep; no newline at the end.
std::string wrap(std::string_view text, size_t indent, int columns);

}  // namespace braid::cli
