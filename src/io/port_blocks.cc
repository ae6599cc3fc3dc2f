#include "io/port_blocks.h"

#include <algorithm>

namespace braid::io {

namespace {
// With fewer a Braid would soon be out of ports, each being unusable for a while after a connection.
constexpr uint32_t kFewestPorts = 32;

struct Gap {
  uint32_t first, size;
};

std::vector<Gap> free_gaps(const NetworkConfig& config, std::vector<InstanceRecord> others) {
  std::sort(others.begin(), others.end(),
            [](const InstanceRecord& a, const InstanceRecord& b) { return a.first_port < b.first_port; });
  std::vector<Gap> gaps;
  uint32_t next = config.first_port;
  const uint32_t end = uint32_t{config.last_port} + 1;
  for (const InstanceRecord& other : others) {
    const uint32_t first = std::min<uint32_t>(other.first_port, end);
    if (first > next) gaps.push_back({next, first - next});
    next = std::max<uint32_t>(next, uint32_t{other.last_port} + 1);
  }
  if (end > next) gaps.push_back({next, end - next});
  return gaps;
}
}  // namespace

std::optional<PortBlock> choose_ports(const NetworkConfig& config,
                                      const std::vector<InstanceRecord>& others) {
  uint32_t first = 0, size = config.ports_per_instance;
  if (size == 0) {
    for (const Gap& gap : free_gaps(config, others)) {
      if (gap.size / 2 > size) first = gap.first, size = gap.size / 2;
    }
    if (size < kFewestPorts) return {};
  } else {
    const std::vector<Gap> gaps = free_gaps(config, others);
    const auto gap = std::find_if(gaps.begin(), gaps.end(), [size](const Gap& g) { return g.size >= size; });
    if (gap == gaps.end()) return {};
    first = gap->first;
  }
  return PortBlock{static_cast<uint16_t>(first), static_cast<uint16_t>(first + size - 1)};
}

}  // namespace braid::io
