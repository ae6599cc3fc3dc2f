// The numbers of Braid's routing tables: from 8684000 on, so that people recognise them in `ip rule`, 64 for
// each instance. A rule or route that names one of an instance's tables is that instance's: that is how they
// are found again to be removed.
#pragma once

#include <cstdint>

namespace braid::io {

inline constexpr uint32_t kFirstTable = 8684000;
inline constexpr uint32_t kTablesPerInstance = 64;
inline constexpr uint32_t kMaxUplinks = kTablesPerInstance - 1;

/// Leads into the instance's device.
constexpr uint32_t inbound_table(int instance) {
  return kFirstTable + static_cast<uint32_t>(instance) * kTablesPerInstance;
}
/// Leads out by one of its uplinks, 0 to kMaxUplinks - 1.
constexpr uint32_t uplink_table(int instance, uint32_t uplink) {
  return inbound_table(instance) + 1 + uplink;
}
constexpr bool is_table_of(int instance, uint32_t table) {
  return table >= inbound_table(instance) && table < inbound_table(instance + 1);
}
constexpr bool is_any_instance_table(uint32_t table) { return table >= kFirstTable; }

}  // namespace braid::io
