// How the uplinks stand, for people who ask.
#include <fmt/format.h>

#include "io/shared_uplinks_machine.h"

namespace braid::io {

namespace {
std::string source_of(const KernelRoute& way) {
  if (way.table == RT_TABLE_MAIN) return "main";
  if (way.table != kNoTable) return fmt::format("table {}", way.table);
  return way.gateway ? "configured" : "assumed";
}

std::vector<UplinkInfo::DefaultRoute> default_routes_of(const std::vector<KernelRoute>& ways) {
  std::vector<UplinkInfo::DefaultRoute> result;
  for (const KernelRoute& way : ways) {
    if (way.destination.bits != 0) continue;
    result.push_back({way.destination.network.family(), way.gateway, source_of(way)});
  }
  return result;
}
}  // namespace

NetworkReport SharedUplinks::report() {
  NetworkReport report;
  for (const auto& [name, uplink] : uplinks_) {
    UplinkInfo info;
    info.name = name;
    info.kind = uplink.kind;
    info.is_up = uplink.is_up && !uplink.addresses.empty();
    info.mtu = uplink.mtu;
    info.default_routes = default_routes_of(uplink.ways);
    for (const LinkAddress& a : uplink.addresses) {
      const auto endpoint = endpoints_.find(a.address);
      info.addresses.push_back({.address = {a.address, a.prefix_bits, !a.is_preferred},
                                .is_preferred = a.is_preferred,
                                .endpoint_id = endpoint == endpoints_.end() ? uint8_t{0} : endpoint->second});
    }
    report.uplinks.push_back(std::move(info));
  }
  for (const auto& [name, reason] : unused_) {
    if (!uplinks_.contains(name)) report.unused.emplace_back(name, reason);
  }
  if (config_.firewall != FirewallMode::kLeave) report.firewall_chains = firewall_->chains();
  report.warnings = firewall_->warnings();
  return report;
}

}  // namespace braid::io
