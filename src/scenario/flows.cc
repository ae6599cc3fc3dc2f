#include "scenario/flows.h"

#include <fmt/format.h>

#include <map>

namespace braid::scenario {

namespace {
constexpr uint16_t kFirstPort = 5001;
}

std::vector<FlowPlan> flows_of(const Scenario& scenario) {
  std::vector<FlowPlan> flows;
  std::map<std::string, uint16_t> next_port;
  for (const WorkloadSpec& spec : scenario.workloads) {
    for (uint32_t i = 0; i < spec.connections; ++i) {
      const auto port = static_cast<uint16_t>(kFirstPort + next_port[spec.to]++);
      flows.push_back({&spec, port, fmt::format("traffic {}", flows.size())});
    }
  }
  return flows;
}

}  // namespace braid::scenario
