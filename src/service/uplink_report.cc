#include "service/uplink_report.h"

#include <fmt/format.h>
#include <unistd.h>

namespace braid::service {

using nlohmann::json;

namespace {
json to_json(const io::UplinkInfo& uplink) {
  json addresses = json::array(), routes = json::array();
  for (const io::UplinkInfo::Address& a : uplink.addresses) {
    addresses.push_back(
        {{"address", fmt::format("{}/{}", a.address.address.to_string(), a.address.prefix_bits)},
         {"preferred", a.is_preferred},
         {"endpoint", a.endpoint_id}});
  }
  for (const io::UplinkInfo::DefaultRoute& route : uplink.default_routes) {
    json entry = {{"family", route.family == wire::Family::kV4 ? "ipv4" : "ipv6"}, {"source", route.source}};
    if (route.gateway) entry["gateway"] = route.gateway->to_string();
    routes.push_back(std::move(entry));
  }
  return {{"name", uplink.name},
          {"kind", uplink.kind},
          {"up", uplink.is_up},
          {"mtu", uplink.mtu},
          {"addresses", std::move(addresses)},
          {"default_routes", std::move(routes)}};
}
}  // namespace

json report_uplinks(io::Network& network) {
  const io::NetworkReport report = network.report();
  json result = {{"up", true},
                 {"pid", getpid()},
                 {"device", network.device_name()},
                 {"uplinks", json::array()},
                 {"unused", json::array()},
                 {"firewall_chains", report.firewall_chains},
                 {"warnings", report.warnings}};
  for (const io::UplinkInfo& uplink : report.uplinks) result["uplinks"].push_back(to_json(uplink));
  for (const auto& [name, reason] : report.unused) {
    result["unused"].push_back({{"name", name}, {"reason", reason}});
  }
  return result;
}

}  // namespace braid::service
