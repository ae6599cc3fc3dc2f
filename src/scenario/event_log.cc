#include "scenario/event_log.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace braid::scenario {

namespace {
double seconds(Time time) { return std::chrono::duration<double>(time.time_since_epoch()).count(); }

std::string_view name_of(const EventSpec& event) {
  switch (event.kind) {
    case EventSpec::Kind::kLinkDown:
      return event.is_silent ? "link-cut" : "link-down";
    case EventSpec::Kind::kLinkUp:
      return "link-up";
    case EventSpec::Kind::kLinkSet:
      return "link-changed";
    case EventSpec::Kind::kHostRestart:
      return "host-restarted";
    case EventSpec::Kind::kAddressAdded:
      return "address-added";
    case EventSpec::Kind::kAddressRemoved:
      return "address-removed";
    case EventSpec::Kind::kBackup:
      return "backup";
    case EventSpec::Kind::kRegular:
      return "regular";
    case EventSpec::Kind::kPolicy:
      return "policy-changed";
  }
  return "?";
}
}  // namespace

class EventLog::HostLog final : public mptcp::DecisionLog {
 public:
  HostLog(EventLog& log, std::string host) : log_(log), host_(std::move(host)) {}
  void on_decision(const mptcp::Connection& connection, const mptcp::Decision& decision, Time now) override {
    log_.add(seconds(now), host_, to_json_members(connection, decision));
  }

 private:
  EventLog& log_;
  std::string host_;
};

EventLog::EventLog(std::FILE* file) : file_(file) {}

EventLog::~EventLog() { finish(); }

tl::expected<std::unique_ptr<EventLog>, std::string> EventLog::open(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "we");
  if (file == nullptr) return tl::unexpected(fmt::format("{}: {}", path, std::strerror(errno)));
  return std::unique_ptr<EventLog>(new EventLog(file));
}

void EventLog::attach(const Scenario& scenario, World& world) {
  for (const HostSpec& spec : scenario.hosts) {
    hosts_.push_back(std::make_unique<HostLog>(*this, spec.name));
    world.host(spec.name).set_decision_log(hosts_.back().get());
  }
}

void EventLog::add(const EventSpec& event) {
  const bool is_of_host = event.kind >= EventSpec::Kind::kHostRestart;
  const std::string link = event.link.empty() ? "" : fmt::format(",\"link\":\"{}\"", event.link);
  fmt::print(file_, "{{\"time_s\":{:.9f},\"{}\":\"{}\"{},\"event\":\"{}\"}}\n", seconds(event.at),
             is_of_host ? "host" : "link", event.subject, link, name_of(event));
}

void EventLog::add(double time_s, const std::string& host, const std::string& members) {
  fmt::print(file_, "{{\"time_s\":{:.9f},\"host\":\"{}\",{}}}\n", time_s, host, members);
}

bool EventLog::finish() {
  if (file_ == nullptr) return true;
  const bool is_written = std::ferror(file_) == 0;
  return (std::fclose(std::exchange(file_, nullptr)) == 0) && is_written;
}

}  // namespace braid::scenario
