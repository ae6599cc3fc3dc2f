#include "cli/ss_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <vector>

namespace braid::cli {

namespace {
using nlohmann::json;

uint64_t number(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<uint64_t>() : 0;
}
std::string text(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}
bool flag(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}
std::string token(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return "?";
  return found->is_string() ? found->get<std::string>() : fmt::format("{:08x}", found->get<uint64_t>());
}
uint64_t carried(const json& subflow) {
  return number(subflow, "data_sent_bytes") + number(subflow, "data_received_bytes");
}

std::string owner_of(const json& connection) {
  const auto owner = connection.find("owner");
  if (owner == connection.end() || !owner->is_object() || number(*owner, "pid") == 0) return {};
  return fmt::format("  pid {}", number(*owner, "pid"));
}

// "ESTABLISHED" for a healthy one; what else is to be known of it follows.
std::string state_of(const json& subflow) {
  std::string state = text(subflow, "state");
  if (flag(subflow, "is_stalled")) state += " stalled";
  if (flag(subflow, "is_backup")) state += " backup";
  if (!flag(subflow, "is_fully_established") && !flag(subflow, "is_initial")) state += " joining";
  return state;
}

struct SubflowRow {
  std::string tuple, state, share, rtt, window;
};

SubflowRow make_row(const json& subflow, uint64_t total) {
  SubflowRow row;
  const auto tuple = subflow.find("tuple");
  const json& ends = tuple != subflow.end() && tuple->is_object() ? *tuple : subflow;
  row.tuple = fmt::format("{} -> {}", text(ends, "local"), text(ends, "remote"));
  row.state = state_of(subflow);
  const double share =
      total == 0 ? 0 : 100.0 * static_cast<double>(carried(subflow)) / static_cast<double>(total);
  row.share = fmt::format("{:.0f} %", share);
  row.rtt = "rtt " + format_duration_us(static_cast<double>(number(subflow, "srtt_us")));
  row.window = "cwnd " + format_bytes(number(subflow, "cwnd_bytes"));
  return row;
}

std::string losses_of(const json& subflow) {
  std::string line;
  if (const uint64_t count = number(subflow, "retransmissions")) {
    line +=
        fmt::format(", retransmitted {} ({})", count, format_bytes(number(subflow, "retransmitted_bytes")));
  }
  if (const uint64_t count = number(subflow, "timeouts")) line += fmt::format(", timeouts {}", count);
  if (const uint64_t bytes = number(subflow, "reinjected_bytes")) {
    line += fmt::format(", reinjected {}", format_bytes(bytes));
  }
  return line;
}

void append_subflows(const json& subflows, std::string& out) {
  uint64_t total = 0;
  for (const json& subflow : subflows) total += carried(subflow);
  std::vector<SubflowRow> rows;
  size_t tuple = 0, state = 0, rtt = 0;
  for (const json& subflow : subflows) {
    const SubflowRow& row = rows.emplace_back(make_row(subflow, total));
    tuple = std::max(tuple, row.tuple.size());
    state = std::max(state, row.state.size());
    rtt = std::max(rtt, row.rtt.size());
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    const json& subflow = subflows[i];
    const SubflowRow& row = rows[i];
    auto to = std::back_inserter(out);
    fmt::format_to(to, "  {:>2}  {:<{}}", number(subflow, "index"), row.tuple, tuple);
    // Two long IPv6 addresses leave no room for more on their line.
    if (tuple + state > 60) fmt::format_to(to, "\n    ");
    fmt::format_to(to, "  {:<{}}", row.state, state);
    fmt::format_to(to, "  {:>5}  {:<{}}  {}\n", row.share, row.rtt, rtt, row.window);
    fmt::format_to(to, "      {}, in flight {}, sent {}, received {}{}\n",
                   text(subflow, "congestion_control"), format_bytes(number(subflow, "in_flight_bytes")),
                   format_bytes(number(subflow, "data_sent_bytes")),
                   format_bytes(number(subflow, "data_received_bytes")), losses_of(subflow));
  }
}

std::string multipath_of(const json& connection) {
  const std::string fallback = text(connection, "fallback");
  const std::string packet = text(connection, "fallback_packet");
  if (!fallback.empty() && fallback != "none")
    return fmt::format("plain TCP: {}{}", fallback, packet.empty() ? "" : " (" + packet + ")");
  const bool is_v0 = connection.contains("version") && number(connection, "version") == 0;
  return fmt::format("MPTCP {}{}{}, token {}, peer's {}", is_v0 ? "version 0 " : "",
                     text(connection, "multipath"), flag(connection, "is_checksummed") ? ", checksums" : "",
                     token(connection, "local_token"), token(connection, "remote_token"));
}

/// TCP Fast Open: the peer's SYN brought data that were taken, or ours did.
std::string syn_data_of(const json& connection) {
  if (!connection.contains("syn_data_bytes") || number(connection, "syn_data_bytes") == 0) return "";
  return fmt::format(", {} of {} SYN", format_bytes(number(connection, "syn_data_bytes")),
                     flag(connection, "is_server") ? "the peer's" : "our");
}

void append_connection(const json& connection, std::string& out) {
  auto to = std::back_inserter(out);
  fmt::format_to(to, "{}  {} -> {}{}\n", text(connection, "state"), text(connection, "local"),
                 text(connection, "remote"), owner_of(connection));
  fmt::format_to(to, "    {}{}\n", multipath_of(connection), syn_data_of(connection));
  fmt::format_to(to, "    scheduler {}, congestion control {}, paths {}\n", text(connection, "scheduler"),
                 text(connection, "congestion_control"), text(connection, "path_manager"));
  fmt::format_to(to, "    sent {}, received {}, waiting to be sent {}, to be read {}, out of order {}\n",
                 format_bytes(number(connection, "sent_bytes")),
                 format_bytes(number(connection, "received_bytes")),
                 format_bytes(number(connection, "send_queue_bytes")),
                 format_bytes(number(connection, "receive_queue_bytes")),
                 format_bytes(number(connection, "out_of_order_bytes")));
  append_subflows(connection.value("subflows", json::array()), out);
}
}  // namespace

std::string format_bytes(uint64_t bytes) {
  static constexpr std::array kUnits = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 999.5 && unit + 1 < kUnits.size()) value /= 1000, ++unit;
  const bool wants_fraction = unit > 0 && value < 9.95;
  return fmt::format("{:.{}f} {}", value, wants_fraction ? 1 : 0, kUnits[unit]);
}

std::string format_duration_us(double microseconds) {
  if (microseconds <= 0) return "-";
  if (microseconds < 100) return fmt::format("{:.2f} ms", microseconds / 1e3);
  if (microseconds < 9950) return fmt::format("{:.1f} ms", microseconds / 1e3);
  if (microseconds < 999500) return fmt::format("{:.0f} ms", microseconds / 1e3);
  return fmt::format("{:.1f} s", microseconds / 1e6);
}

std::string format_ss(const json& answer) {
  std::string out;
  for (const json& listener : answer.value("listeners", json::array())) {
    fmt::format_to(std::back_inserter(out), "LISTEN  {}  waiting {} of {}{}\n", text(listener, "local"),
                   number(listener, "waiting"), number(listener, "backlog"), owner_of(listener));
  }
  for (const json& connection : answer.value("connections", json::array()))
    append_connection(connection, out);
  return out.empty() ? "No connections.\n" : out;
}

}  // namespace braid::cli
