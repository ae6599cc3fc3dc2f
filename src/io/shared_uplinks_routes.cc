// The ways out of each uplink, its routing table, and the policy rules that lead there.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "io/shared_uplinks_machine.h"

namespace braid::io {

namespace {
// Added to the metric of a route that the machine itself does not use: its own choice comes first.
constexpr uint32_t kSecondChoice = 1u << 24;

Prefix whole(const wire::IpAddress& address) { return {address, address.is_v4() ? 32 : 128}; }

bool is_default(const KernelRoute& route, wire::Family family) {
  return route.destination.bits == 0 && route.destination.network.family() == family;
}

KernelRoute assumed_default(const Link& link, wire::Family family) {
  KernelRoute route;
  route.destination = {wire::IpAddress::any(family), 0};
  route.table = kNoTable;
  route.link_index = link.index;
  return route;
}

// Tunnels of other programs know who is at their other end, and it need not be everybody; unless somebody
// asked for them by name.
bool leads_straight_out(const Link& link, const std::vector<std::string>& named) {
  const bool is_tunnel = link.kind == "tun" || link.kind == "wireguard" || link.kind == "xfrm";
  return link.is_point_to_point && (!is_tunnel || std::ranges::find(named, link.name) != named.end());
}
}  // namespace

// What the main table has for the link; and where that has no way out, the one that there is nevertheless.
void SharedUplinks::find_ways(const Link& link, Uplink& uplink, const Machine& machine) const {
  uplink.ways.clear();
  for (const KernelRoute& route : machine.routes) {
    if (route.table == RT_TABLE_MAIN && route.link_index == link.index) uplink.ways.push_back(route);
  }
  for (const wire::Family family : {wire::Family::kV4, wire::Family::kV6}) {
    if (family == wire::Family::kV6 ? !config_.use_ipv6 : !config_.use_ipv4) continue;
    const bool has_way_out =
        std::ranges::any_of(uplink.ways, [family](const auto& way) { return is_default(way, family); });
    if (has_way_out) continue;
    for (const KernelRoute& route : way_out(link, family, machine)) uplink.ways.push_back(route);
  }
}

// In this order: what the configuration says; the table with the best default route by this link, which is
// an administrator's policy routing or a DHCP client's; straight out of a point-to-point link.
std::vector<KernelRoute> SharedUplinks::way_out(const Link& link, wire::Family family,
                                                const Machine& machine) const {
  for (const auto& [name, gateway] : config_.gateways) {
    if (name != link.name || gateway.family() != family) continue;
    KernelRoute route = assumed_default(link, family);
    route.gateway = gateway;
    route.is_on_link = true;
    return {route};
  }
  const auto is_candidate = [&](const KernelRoute& route) {
    return route.link_index == link.index && route.destination.network.family() == family &&
           route.table != RT_TABLE_MAIN && route.table != RT_TABLE_LOCAL &&
           !is_any_instance_table(route.table);
  };
  const KernelRoute* best = nullptr;
  for (const KernelRoute& route : machine.routes) {
    if (!is_candidate(route) || !is_default(route, family)) continue;
    if (best == nullptr || route.metric < best->metric) best = &route;
  }
  std::vector<KernelRoute> ways;
  if (best != nullptr) {
    for (const KernelRoute& route : machine.routes) {
      if (is_candidate(route) && route.table == best->table) ways.push_back(route);
    }
  } else if (leads_straight_out(link, config_.interfaces)) {
    ways.push_back(assumed_default(link, family));
  }
  return ways;
}

void SharedUplinks::tell_routes(Uplink& uplink) {
  std::vector<host::Route> routes;
  for (const KernelRoute& way : uplink.ways) {
    const uint32_t extra = way.table == RT_TABLE_MAIN ? 0 : kSecondChoice;
    routes.push_back({way.destination.network, way.destination.bits, way.metric + extra});
  }
  if (routes == uplink.routes) return;
  uplink.routes = routes;
  live_->host().set_routes(uplink.interface, std::move(routes), live_->now());
}

// Each uplink's table: its ways out, and nothing beyond, lest a path leaves by another's link when its own
// is gone. Only where it leads to its own neighbours alone, so that nothing of that can be, neighbours on
// other links who call this one's address get their answer, as from the kernel.
std::set<KernelRoute> SharedUplinks::wanted_routes(const Machine& machine) const {
  std::set<KernelRoute> wanted;
  for (const auto& [name, uplink] : uplinks_) {
    for (KernelRoute way : uplink.ways) {
      way.table = uplink.table;
      wanted.insert(way);
    }
    for (KernelRoute route : machine.routes) {
      const wire::Family family = route.destination.network.family();
      const bool is_of_neighbours =
          route.table == RT_TABLE_MAIN && !route.gateway && route.destination.bits != 0;
      const bool is_of_other = std::ranges::any_of(uplinks_, [&](const auto& other) {
        return other.first != name && other.second.link_index == route.link_index;
      });
      const bool leads_out =
          std::ranges::any_of(uplink.ways, [family](const auto& way) { return is_default(way, family); });
      if (!is_of_neighbours || !is_of_other || leads_out) continue;
      route.table = uplink.table;
      wanted.insert(route);
    }
    for (const wire::Family family : {wire::Family::kV4, wire::Family::kV6}) {
      if (family == wire::Family::kV6 && !config_.use_ipv6) continue;
      KernelRoute nowhere;
      nowhere.destination = {wire::IpAddress::any(family), 0};
      nowhere.table = uplink.table;
      nowhere.metric = UINT32_MAX;
      wanted.insert(nowhere);
    }
  }
  return wanted;
}

void SharedUplinks::sync_routes(const Machine& machine) {
  std::set<KernelRoute> wanted = wanted_routes(machine);
  for (const KernelRoute& route : machine.routes) {
    if (!is_table_of(record_.number, route.table) || route.table == inbound_table(record_.number)) continue;
    if (wanted.erase(route) == 0) netlink_->remove_route(route);
  }
  // Routes to gateways come after the networks that the gateways are in.
  for (const bool has_gateway : {false, true}) {
    for (const KernelRoute& route : wanted) {
      if (route.gateway.has_value() == has_gateway) netlink_->add_route(route);
    }
  }
}

std::set<Rule> SharedUplinks::wanted_rules() const {
  std::set<Rule> rules;
  for (const auto& [name, uplink] : uplinks_) {
    for (const LinkAddress& a : uplink.addresses) {
      Rule rule;
      rule.family = a.address.family();
      rule.priority = kOutboundPriority;
      rule.from = whole(a.address);
      rule.input_device = device_name_;
      rule.table = uplink.table;
      rules.insert(rule);

      // By destination, whatever the packet came by: so the machine's own programs reach Braid's, too.
      rule = {};
      rule.family = a.address.family();
      rule.priority = kInboundPriority;
      rule.to = whole(a.address);
      rule.is_tcp_only = true;
      rule.first_port = record_.first_port;
      rule.last_port = record_.last_port;
      rule.table = inbound_table(record_.number);
      rules.insert(rule);
      for (const auto& [local, claim] : claims_) {
        if (local.address.family() != a.address.family() || is_in_own_block(local.port)) continue;
        if (!local.address.is_unspecified() && local.address != a.address) continue;
        rule.first_port = rule.last_port = local.port;
        rules.insert(rule);
      }
    }
  }
  return rules;
}

// Those that somebody else removed are put back.
void SharedUplinks::add_missing_rules() {
  std::set<Rule> present;
  for (const wire::Family family : {wire::Family::kV4, wire::Family::kV6}) {
    for (const Rule& rule : netlink_->rules(family)) present.insert(rule);
  }
  std::erase_if(rules_, [&present](const Rule& rule) { return !present.contains(rule); });
}

void SharedUplinks::sync_rules() {
  const std::set<Rule> wanted = wanted_rules();
  for (auto it = rules_.begin(); it != rules_.end();) {
    if (wanted.contains(*it)) {
      ++it;
      continue;
    }
    netlink_->remove_rule(*it);
    it = rules_.erase(it);
  }
  for (const Rule& rule : wanted) {
    if (rules_.contains(rule)) continue;
    const int error = netlink_->add_rule(rule);
    if (error == 0 || error == EEXIST) rules_.insert(rule);
  }
}

int SharedUplinks::check_route(const wire::IpAddress& remote) {
  const int error = netlink_->probe_route(remote);
  if (error != ENETUNREACH) return error;
  // Not by the machine's own choice of routes, but by one of ours.
  for (const auto& [name, uplink] : uplinks_) {
    const bool has_source = uplink.is_up && std::ranges::any_of(uplink.addresses, [&](const auto& a) {
                              return a.address.family() == remote.family();
                            });
    const bool leads_there = std::ranges::any_of(uplink.ways, [&](const KernelRoute& way) {
      return way.destination.network.family() == remote.family() &&
             wire::in_prefix(remote, way.destination.network, way.destination.bits);
    });
    if (has_source && leads_there) return 0;
  }
  return error;
}

}  // namespace braid::io
