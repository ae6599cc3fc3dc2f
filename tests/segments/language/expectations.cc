#include "segments/language/expectations.h"

#include <algorithm>
#include <array>

#include "segments/language/script_error.h"
#include "segments/language/words.h"

namespace braid::segments {

namespace {

using mptcp::ConnectionEvent;

void expect_same(const std::string& wanted, const std::string& came, std::string_view what) {
  if (wanted != came) throw ScriptError(std::string(what) + " is " + came);
}

/// The connection's, also after the application has closed it; none: it is gone.
std::optional<mptcp::ConnectionInfo> info_of(Stage& stage, const Application& application) {
  for (const host::Host::ConnectionEntry& entry : stage.host().connections()) {
    if (entry.id == application.connection()) return entry.info;
  }
  // Nobody has accepted it yet.
  if (application.connection() == host::ConnectionId::kNone && !stage.host().connections().empty())
    return stage.host().connections().front().info;
  return std::nullopt;
}

mptcp::ConnectionInfo need_info(Stage& stage, const Application& application) {
  const auto info = info_of(stage, application);
  if (!info.has_value()) throw ScriptError("there is no connection any more");
  return *info;
}

std::string_view name_of(const host::Event& event) {
  if (event.kind == host::Event::Kind::kAcceptable) return "acceptable";
  switch (event.what) {
    case ConnectionEvent::kEstablished:
      return "established";
    case ConnectionEvent::kAcceptable:
      return "acceptable";
    case ConnectionEvent::kReadable:
      return "readable";
    case ConnectionEvent::kWritable:
      return "writable";
    case ConnectionEvent::kPeerClosed:
      return "peer-closed";
    case ConnectionEvent::kClosed:
      return "closed";
    case ConnectionEvent::kFailed:
      return "failed";
  }
  return "?";
}

void expect_event(Stage& stage, const std::string& wanted) {
  auto& events = stage.events();
  const auto found = std::ranges::find_if(events, [&](const host::Event& e) { return name_of(e) == wanted; });
  if (found == events.end()) {
    std::string came;
    for (const host::Event& event : events) came += " " + std::string(name_of(event));
    throw ScriptError("no such event came, but" + (came.empty() ? " none" : came));
  }
  events.erase(found);
}

void expect_no_event(Stage& stage, const std::string& unwanted) {
  if (std::ranges::any_of(stage.events(), [&](const host::Event& e) { return name_of(e) == unwanted; }))
    throw ScriptError("such an event came");
}

void expect_counter(Stage& stage, const std::string& rest) {
  Words words(split_words(rest));
  const std::string name = words.take(), wanted = words.take();
  for (size_t i = 0; i < mptcp::kCounterCount; ++i) {
    const auto counter = static_cast<mptcp::Counter>(i);
    if (mptcp::name_of(counter) == name)
      return expect_same(wanted, std::to_string(stage.host().counters()[counter]), name);
  }
  throw ScriptError("no counter has that name");
}

void expect_multipath(const mptcp::ConnectionInfo& info, const std::string& wanted) {
  std::string came(to_string(info.multipath));
  if (info.multipath == mptcp::MultipathState::kFallback) came += " " + std::string(to_string(info.fallback));
  expect_same(wanted, came, "multipath");
}

std::string value_of(const mptcp::SubflowInfo& subflow, const std::string& name) {
  if (name == "state") return std::string(tcp::to_string(subflow.state));
  if (name == "mss") return std::to_string(subflow.mss);
  if (name == "cwnd") return std::to_string(subflow.cwnd_bytes);
  if (name == "in-flight") return std::to_string(subflow.in_flight_bytes);
  if (name == "window") return std::to_string(subflow.send_window_bytes);
  if (name == "rto") return std::to_string(subflow.rto / 1ms) + "ms";
  if (name == "srtt") return std::to_string(subflow.srtt / 1ms) + "ms";
  if (name == "timeouts") return std::to_string(subflow.timeouts);
  if (name == "retransmissions") return std::to_string(subflow.retransmissions);
  if (name == "backup") return subflow.is_backup ? "on" : "off";
  if (name == "established") return subflow.is_fully_established ? "yes" : "no";
  if (name == "local-id") return std::to_string(subflow.local_id);
  if (name == "remote-id") return std::to_string(subflow.remote_id);
  throw ScriptError("subflows have nothing of that name: " + name);
}

/// subflow none | subflow NAME VALUE
void expect_subflow(Stage& stage, const mptcp::ConnectionInfo& info, const Line& line) {
  const auto found = std::ranges::find_if(info.subflows, [&](const mptcp::SubflowInfo& subflow) {
    return stage.peer().name_of(subflow.tuple) == line.path;
  });
  if (line.rest == "none") {
    if (found != info.subflows.end()) throw ScriptError("there is one, in " + value_of(*found, "state"));
    return;
  }
  if (found == info.subflows.end()) throw ScriptError("there is no subflow on that path");
  Words words(split_words(line.rest));
  const std::string name = words.take();
  expect_same(words.take(), value_of(*found, name), name);
}

void expect_error(Stage& stage, const Application& application, const std::string& wanted) {
  const mptcp::Connection* connection = stage.host().find(application.connection());
  if (connection == nullptr) throw ScriptError("there is no connection that the application holds");
  expect_same(wanted, std::string(mptcp::to_string(connection->error())), "the error");
}

}  // namespace

bool is_expectation(const std::string& verb) {
  static constexpr std::array kVerbs = {"event",    "no-event",       "counter",   "connections",
                                        "error",    "state",          "multipath", "checksum",
                                        "readable", "unacknowledged", "subflows",  "subflow"};
  return std::ranges::find(kVerbs, verb) != kVerbs.end();
}

bool expect(Stage& stage, const Application& application, const Line& line) {
  const std::string& verb = line.verb;
  if (verb == "event") {
    expect_event(stage, line.rest);
  } else if (verb == "no-event") {
    expect_no_event(stage, line.rest);
  } else if (verb == "counter") {
    expect_counter(stage, line.rest);
  } else if (verb == "connections") {
    expect_same(line.rest, std::to_string(stage.host().connection_count()), verb);
  } else if (verb == "error") {
    expect_error(stage, application, line.rest);
  } else if (verb == "state") {
    const auto info = info_of(stage, application);
    expect_same(line.rest, info.has_value() ? info->state : "gone", verb);
  } else if (verb == "multipath") {
    expect_multipath(need_info(stage, application), line.rest);
  } else if (verb == "checksum") {
    expect_same(line.rest, need_info(stage, application).is_checksummed ? "on" : "off", verb);
  } else if (verb == "readable") {
    expect_same(line.rest, std::to_string(need_info(stage, application).receive_queue_bytes), verb);
  } else if (verb == "unacknowledged") {
    expect_same(line.rest, std::to_string(need_info(stage, application).send_queue_bytes), verb);
  } else if (verb == "subflows") {
    expect_same(line.rest, std::to_string(need_info(stage, application).subflows.size()), verb);
  } else if (verb == "subflow") {
    expect_subflow(stage, need_info(stage, application), line);
  } else {
    return false;
  }
  return true;
}

}  // namespace braid::segments
