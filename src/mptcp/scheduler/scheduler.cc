#include "mptcp/scheduler/scheduler.h"

#include "mptcp/scheduler/lowest_rtt.h"
#include "mptcp/scheduler/round_robin.h"

namespace braid::mptcp {

namespace {

struct Entry {
  std::string_view name;
  std::unique_ptr<Scheduler> (*make)();
};

template <class T>
std::unique_ptr<Scheduler> make() {
  return std::make_unique<T>();
}

// A new scheduler needs one line here.
constexpr Entry kSchedulers[] = {
    {"lowest-rtt", make<LowestRtt>},
    {"round-robin", make<RoundRobin>},
};

}  // namespace

std::unique_ptr<Scheduler> make_scheduler(std::string_view name) {
  for (const Entry& entry : kSchedulers)
    if (entry.name == name) return entry.make();
  return nullptr;
}

std::vector<std::string> scheduler_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kSchedulers) names.emplace_back(entry.name);
  return names;
}

}  // namespace braid::mptcp
