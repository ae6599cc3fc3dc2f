// Who has which of Braid's ephemeral ports, where several Braids share a machine's addresses.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "io/instances.h"
#include "io/network.h"

namespace braid::io {

struct PortBlock {
  uint16_t first = 0, last = 0;
};

/// A block for one more Braid, as NetworkConfig says; nothing if none is left that is worth having.
std::optional<PortBlock> choose_ports(const NetworkConfig& config, const std::vector<InstanceRecord>& others);

}  // namespace braid::io
