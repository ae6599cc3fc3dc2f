#include "mptcp/scheduler/scheduler.h"

#include <algorithm>

#include "mptcp/scheduler/blest.h"
#include "mptcp/scheduler/ecf.h"
#include "mptcp/scheduler/lowest_rtt.h"
#include "mptcp/scheduler/redundant.h"
#include "mptcp/scheduler/round_robin.h"
#include "mptcp/scheduler/shared_buffer.h"
#include "mptcp/scheduler/weighted.h"

namespace braid::mptcp {

namespace {

struct Entry {
  std::string name;
  SchedulerFactory make;
};

template <class T>
std::unique_ptr<Scheduler> make(const SchedulerOptions&) {
  return std::make_unique<T>();
}

std::unique_ptr<Scheduler> make_weighted(const SchedulerOptions& options) {
  return std::make_unique<Weighted>(options);
}

/// The built-in ones, a line each, and behind them those of plug-ins.
std::vector<Entry>& registry() {
  static std::vector<Entry> entries = {
      {"lowest-rtt", make<LowestRtt>},
      {"round-robin", make<RoundRobin>},
      {"redundant", make<Redundant>},
      {"blest", make<Blest>},
      {"ecf", make<Ecf>},
      {"weighted", make_weighted},
      {"shared-buffer", make<SharedBuffer>},
  };
  return entries;
}

}  // namespace

std::unique_ptr<Scheduler> make_scheduler(std::string_view name, const SchedulerOptions& options) {
  const auto found = std::ranges::find(registry(), name, &Entry::name);
  return found == registry().end() ? nullptr : found->make(options);
}

std::vector<std::string> scheduler_names() {
  std::vector<std::string> names;
  for (const Entry& entry : registry()) names.push_back(entry.name);
  return names;
}

bool register_scheduler(std::string_view name, SchedulerFactory factory) {
  if (name.empty() || std::ranges::count(registry(), name, &Entry::name) > 0) return false;
  registry().push_back({std::string(name), std::move(factory)});
  return true;
}

}  // namespace braid::mptcp
