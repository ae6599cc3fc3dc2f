#include "service/history_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "service/decision_events.h"
#include "service/request_fields.h"
#include "service/sentences.h"

namespace braid::service {

namespace {

using nlohmann::json;
using State = ConnectionHistory::State;

constexpr int64_t kUsualEvents = 200, kMostEvents = 100'000;

double seconds(Time at) { return std::chrono::duration<double>(at.time_since_epoch()).count(); }
double seconds(Duration d) { return std::chrono::duration<double>(d).count(); }

/// For people: they read the clock on the wall.
double unix_seconds(Time at, Time now) {
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(wall).count() - seconds(now - at);
}

std::string_view to_string(State state) {
  switch (state) {
    case State::kOpening:
      return "opening";
    case State::kOpen:
      return "open";
    case State::kClosed:
      return "closed";
    case State::kFailed:
      return "failed";
  }
  return "?";
}

json to_json(const ConnectionHistory& history, Time now) {
  json out = {{"token", fmt::format("{:08x}", history.token)},
              {"local", history.ends.local.to_string()},
              {"remote", history.ends.remote.to_string()},
              {"state", std::string(to_string(history.state))},
              {"is_server", history.is_server},
              {"is_multipath", history.is_multipath},
              {"begun_s", seconds(history.begun)},
              {"begun_unix_s", unix_seconds(history.begun, now)},
              {"age_s", seconds((history.is_over() ? history.over : now) - history.begun)},
              {"decisions", history.entries().size()}};
  if (!history.is_over()) return out;
  out["over_s"] = seconds(history.over);
  out["sent_bytes"] = history.sent_bytes;
  out["received_bytes"] = history.received_bytes;
  return out;
}

json to_json(const HistoryEntry& entry, const ConnectionHistory& history) {
  json out = json::parse(to_event_line(history.token, entry.decision, entry.at), nullptr, false);
  if (!out.is_object())
    out = {{"text", sentence(entry.decision)}};  // a plug-in's name with a quote in it, say
  out["after_s"] = seconds(entry.at - history.begun);
  out["count"] = entry.count;
  if (entry.count > 1) out["last_after_s"] = seconds(entry.last_at - history.begun);
  return out;
}

std::string path_sentence(const mptcp::SubflowInfo& s, uint64_t total) {
  const uint64_t carried = s.data_sent_bytes + s.data_received_bytes;
  std::string text = fmt::format("Path {} ({} -> {})", s.index, s.tuple.local.address.to_string(),
                                 s.tuple.remote.to_string());
  if (!s.is_fully_established) return text + " is being opened.";
  if (s.is_stalled)
    text += " is silent";
  else
    text += s.is_backup ? " is a backup" : " is up";
  if (total > 0)
    text += fmt::format(", has carried {:.0f} % of the bytes",
                        100.0 * static_cast<double>(carried) / static_cast<double>(total));
  if (s.srtt > Duration{0}) text += fmt::format(", round trip {}", duration_text(s.srtt));
  return text + ".";
}

/// Why there is one path, when the history need not have said so.
std::string lone_path_sentence(const mptcp::ConnectionInfo& info, const host::HostConfig& config,
                               bool are_paths_due, Duration age) {
  if (info.path_manager == "none") return "One path: path_manager is \"none\".";
  if (info.path_manager == "application")
    return "One path: path_manager is \"application\", so a program opens others (`braid pm open`).";
  if (config.paths.limits.subflows == 0) return "One path: [limits] subflows is 0.";
  if (are_paths_due) return {};  // what stood in the way was said when it did
  const mptcp::OpenPaths& rules = config.connection.open_paths;
  return fmt::format(
      "One path: no further one is opened before it is worth it, which is after {} (it has moved {}), after "
      "{} "
      "(it is {} old), or when the first path is full.",
      bytes_text(rules.after_bytes), bytes_text(info.sent_bytes + info.received_bytes),
      duration_text(rules.after_age), duration_text(age));
}

}  // namespace

std::vector<std::string> standing_of(const mptcp::ConnectionInfo& info, const host::HostConfig& config,
                                     bool are_paths_due, Time now) {
  const Duration age = now - info.opened;
  std::vector<std::string> out = {fmt::format("It is {} after {}; it has sent {} and received {}.",
                                              info.state, duration_text(age), bytes_text(info.sent_bytes),
                                              bytes_text(info.received_bytes))};
  uint64_t total = 0;
  for (const auto& s : info.subflows) total += s.data_sent_bytes + s.data_received_bytes;
  for (const auto& s : info.subflows) out.push_back(path_sentence(s, total));
  switch (info.multipath) {
    case mptcp::MultipathState::kFallback:
      out.push_back(fmt::format("One path: it is plain TCP, since {}.", meaning_of(info.fallback)));
      break;
    case mptcp::MultipathState::kEstablished:
      if (info.subflows.empty()) out.emplace_back("No path is left: it waits for another.");
      if (info.subflows.size() == 1)
        if (auto text = lone_path_sentence(info, config, are_paths_due, age); !text.empty())
          out.push_back(std::move(text));
      break;
    default:
      out.emplace_back("Multipath TCP is not confirmed by the peer yet: no further path may be opened.");
  }
  return out;
}

std::vector<std::string> summary_of(const ConnectionHistory& history) {
  std::vector<std::string> out = {fmt::format(
      "It was over after {}; it had sent {} and received {}.", duration_text(history.over - history.begun),
      bytes_text(history.sent_bytes), bytes_text(history.received_bytes))};
  const auto entries = history.entries();
  const bool had_more = std::ranges::any_of(entries, [](const HistoryEntry* e) {
    const auto kind = e->decision.kind;
    return kind == mptcp::Decision::Kind::kSubflowOpened || kind == mptcp::Decision::Kind::kSubflowAccepted;
  });
  if (history.is_multipath && !had_more && !history.were_paths_due)
    out.emplace_back("It had one path: it was over before further ones were worth it.");
  return out;
}

bool is_named(const ConnectionHistory& history, std::string_view name) {
  std::string text(name);
  std::erase(text, ' ');
  const std::string local = history.ends.local.to_string(), remote = history.ends.remote.to_string();
  if (text == local || text == remote || text == local + "->" + remote) return true;
  std::ranges::transform(text, text.begin(), [](char c) { return c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c; });
  return history.token != 0 && text == fmt::format("{:08x}", history.token);
}

/// Those that the request is about, oldest first; not none.
tl::expected<std::vector<const ConnectionHistory*>, std::string> HistoryCommands::choose(const json& request,
                                                                                         Time now) {
  std::vector<const ConnectionHistory*> all = histories_.all(now);
  const bool is_failed_only = request.value("failed", false);
  if (is_failed_only)
    std::erase_if(all, [](const ConnectionHistory* h) { return h->state != State::kFailed; });
  const std::string name = request.value("connection", std::string("last"));
  if (all.empty())
    return tl::unexpected(is_failed_only ? "no connection that is known of has failed"
                                         : std::string("there was no connection yet that is known of"));
  if (name == "last") return all;
  std::erase_if(all, [&](const ConnectionHistory* h) { return !is_named(*h, name); });
  if (all.empty())
    return tl::unexpected(fmt::format(
        "no connection \"{}\" is known of. Name it by its token, by LOCAL->REMOTE, or by one end; "
        "`braid why` lists those there are ([history] bounds how long closed ones are kept)",
        name));
  return all;
}

json HistoryCommands::tell(const ConnectionHistory& history, Time now) {
  json entries = json::array();
  for (const HistoryEntry* entry : history.entries()) entries.push_back(to_json(*entry, history));
  json out = {{"connection", to_json(history, now)},    {"history", std::move(entries)},
              {"left_out", history.left_out},           {"left_out_after", history.first_count()},
              {"has_forgotten", history.has_forgotten}, {"now", json::array()}};
  if (history.is_over()) {
    out["now"] = summary_of(history);
    return out;
  }
  for (const auto& entry : host_.connections()) {
    const mptcp::Connection* connection = host_.find(entry.id);
    if (connection == nullptr || connection->log_number != history.number) continue;
    out["now"] = standing_of(entry.info, host_.config(), connection->are_paths_due(), now);
  }
  return out;
}

tl::expected<json, std::string> HistoryCommands::why(const json& request, Time now) {
  const bool is_list = !request.contains("connection");
  if (is_list) {
    json connections = json::array();
    for (const ConnectionHistory* history : histories_.all(now))
      if (!request.value("failed", false) || history->state == State::kFailed)
        connections.push_back(to_json(*history, now));
    return json{{"connections", std::move(connections)}};
  }
  const auto chosen = choose(request, now);
  if (!chosen) return tl::unexpected(chosen.error());
  json out = tell(*chosen->back(), now);
  // The youngest is told; that there are others of that name is, too.
  out["others"] = request["connection"] == "last" ? 0 : chosen->size() - 1;
  return out;
}

tl::expected<json, std::string> HistoryCommands::events(const json& request, Subscriptions& subscriptions,
                                                        Time now) {
  const std::string action = request.value("action", std::string("show"));
  if (action != "show" && action != "follow")
    return tl::unexpected(fmt::format("events: no action \"{}\": show, follow", action));
  const auto last = number(request, "last", kUsualEvents, 0, kMostEvents);
  if (!last) return tl::unexpected(last.error());
  std::vector<const ConnectionHistory*> histories = histories_.all(now);
  if (request.contains("connection")) {
    const auto chosen = choose(request, now);
    if (!chosen) return tl::unexpected(chosen.error());
    histories = request["connection"] == "last" ? std::vector{chosen->back()} : *chosen;
  }
  std::vector<std::pair<const HistoryEntry*, const ConnectionHistory*>> all;
  for (const ConnectionHistory* history : histories)
    for (const HistoryEntry* entry : history->entries()) all.emplace_back(entry, history);
  std::ranges::stable_sort(all, {}, [](const auto& pair) { return pair.first->last_at; });
  if (all.size() > static_cast<size_t>(*last)) all.erase(all.begin(), all.end() - *last);
  json events = json::array();
  for (const auto& [entry, history] : all) {
    json event = to_json(*entry, *history);
    event["time_s"] = seconds(entry->last_at);  // of several alike, the last
    events.push_back(std::move(event));
  }
  if (action == "follow") subscriptions.add(Feed::kDecisions);
  return json{{"events", std::move(events)}, {"now_s", seconds(now)}};
}

}  // namespace braid::service
