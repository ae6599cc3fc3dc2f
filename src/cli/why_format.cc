#include "cli/why_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <iterator>

namespace braid::cli {

namespace {
using nlohmann::json;

std::string protocol_of(const json& c) {
  if (c.value("is_multipath", false)) return "Multipath TCP";
  return c.value("state", "") == "opening" ? "being opened" : "plain TCP";
}

std::string name_of(const json& c) {
  const std::string token = c.value("token", "00000000");
  return token == "00000000" ? "-" : token;
}

/// "+0.052 s", "+12.3 s", "+2:05:03".
std::string after_text(double s) {
  if (s < 100) return fmt::format("+{:.3f} s", s);
  const auto whole = static_cast<int64_t>(s);
  if (s < 3600) return fmt::format("+{}:{:02} min", whole / 60, whole % 60);
  return fmt::format("+{}:{:02}:{:02} h", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string repeated(const json& entry) {
  const auto count = entry.value("count", 1);
  if (count <= 1) return {};
  return fmt::format(" ({} times, the last at {})", count, after_text(entry.value("last_after_s", 0.0)));
}

std::string date_text(double unix_seconds) {
  const auto whole = static_cast<time_t>(unix_seconds);
  tm parts{};
  localtime_r(&whole, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts);
  return text;
}
}  // namespace

std::string clock_text(double unix_seconds) { return date_text(unix_seconds).substr(11); }

std::string wrap(std::string_view text, size_t indent, int columns) {
  std::string out;
  const auto most = static_cast<size_t>(std::max(columns, 0));
  while (columns > 0 && text.size() > most) {
    size_t cut = text.substr(0, most + 1).rfind(' ');
    if (cut == std::string_view::npos || cut <= (out.empty() ? 0 : indent)) cut = text.find(' ', most);
    if (cut == std::string_view::npos) break;
    out += std::string(text.substr(0, cut)) + "\n" + std::string(indent, ' ');
    text.remove_prefix(cut + 1);
    if (text.size() + indent <= most) break;
    // The next line is `indent` shorter.
    std::string rest = wrap(text, 0, std::max(columns - static_cast<int>(indent), 20));
    for (size_t at = 0; (at = rest.find('\n', at)) != std::string::npos; at += indent + 1)
      rest.insert(at + 1, std::string(indent, ' '));
    return out + rest;
  }
  return out + std::string(text);
}

std::string format_why(const json& answer, int columns) {
  const json& c = answer.at("connection");
  std::string out = wrap(fmt::format("Connection {}  {} -> {}  {}, {} at {}, {}.", name_of(c),
                                     c.value("local", ""), c.value("remote", ""), protocol_of(c),
                                     c.value("is_server", false) ? "accepted" : "opened here",
                                     date_text(c.value("begun_unix_s", 0.0)), c.value("state", "")),
                         4, columns) +
                    "\n\n";
  constexpr size_t kTimeWidth = 12;
  const auto add = [&](std::string_view time, const std::string& text) {
    out += wrap(fmt::format("{:>{}}  {}", time, kTimeWidth, text), kTimeWidth + 2, columns) + "\n";
  };
  if (answer.value("has_forgotten", false))
    add("...", "What was before is forgotten: the histories had more than [history] memory.");
  size_t index = 0;
  for (const json& entry : answer.value("history", json::array())) {
    if (index++ == answer.value("left_out_after", size_t{0}) && answer.value("left_out", 0) > 0)
      add("...", fmt::format("{} decisions in between were not kept ([history] decisions).",
                             answer.value("left_out", 0)));
    add(after_text(entry.value("after_s", 0.0)), entry.value("text", "") + repeated(entry));
  }
  std::string title = "now";
  for (const json& line : answer.value("now", json::array())) {
    if (title == "now") out += "\n";
    if (c.contains("over_s")) title = "end";
    add(title == "" ? "" : title, line.get<std::string>());
    title.clear();
  }
  if (const auto others = answer.value("others", 0); others > 0)
    out += wrap(fmt::format("\n{} more of that name, older than this one: `braid why` lists them.", others),
                0, columns) +
           "\n";
  return out;
}

std::string format_known(const json& answer) {
  const json connections = answer.value("connections", json::array());
  if (connections.empty()) return "No connection is known of.\n";
  size_t width = 0;
  const auto ends_of = [](const json& c) { return c.value("local", "") + "->" + c.value("remote", ""); };
  for (const json& c : connections) width = std::max(width, ends_of(c).size());
  std::string out;
  for (const json& c : connections)
    fmt::format_to(std::back_inserter(out), "{}  {:>8}  {:<{}}  {:<13}  {:<7}  {} decisions\n",
                   clock_text(c.value("begun_unix_s", 0.0)), name_of(c), ends_of(c), width, protocol_of(c),
                   c.value("state", ""), c.value("decisions", 0));
  return out;
}

std::string format_decision(const json& event, double wall_offset_s) {
  if (event.value("event", "") == "lost")
    return fmt::format("             {} events were lost here: they came faster than they were read",
                       event.value("count", 0));
  const double at = event.value("time_s", 0.0) + wall_offset_s;
  const std::string token = name_of({{"token", event.value("connection", "00000000")}});
  const auto ms = static_cast<int>((at - std::floor(at)) * 1000);
  const auto count = event.value("count", 1);
  return fmt::format("{}.{:03} {:>8}  {}{}", clock_text(at), ms, token, event.value("text", ""),
                     count > 1 ? fmt::format(" ({} times)", count) : "");
}

}  // namespace braid::cli
