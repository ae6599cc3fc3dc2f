// Following the machine: its links, addresses and routes are read anew after each change, and what should be
// (the host's interfaces and endpoints, rules, routes, parameters) is compared with what is.
#include <fmt/format.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>

#include "io/routing_tables.h"
#include "io/shared_uplinks.h"
#include "io/sysctl.h"

namespace braid::io {

namespace {
// Changes come in bursts: a link that goes takes addresses and routes with it.
constexpr Duration kSettleTime = 2ms;

Prefix whole(const wire::IpAddress& address) { return {address, address.is_v4() ? 32 : 128}; }

std::string conf_path(wire::Family family, const std::string& device, const char* parameter) {
  return fmt::format("net/{}/conf/{}/{}", family == wire::Family::kV4 ? "ipv4" : "ipv6", device, parameter);
}
}  // namespace

struct SharedUplinks::Machine {
  std::vector<Link> links;
  std::vector<LinkAddress> addresses;
  std::vector<KernelRoute> routes;  // both families, all tables

  bool has_default_route(int link_index, wire::Family family) const {
    return std::ranges::any_of(routes, [&](const KernelRoute& route) {
      return route.table == RT_TABLE_MAIN && route.link_index == link_index && route.destination.bits == 0 &&
             route.destination.network.family() == family;
    });
  }
};

Setup<void> SharedUplinks::attach(LiveHost& live) {
  live_ = &live;
  auto monitor = NetlinkMonitor::open();
  if (!monitor) return tl::unexpected(monitor.error());
  monitor_ = std::move(*monitor);
  attached_ = &live.attach(std::move(device_));
  // Packets come in by the device itself, whatever uplink they came by: an interface that is always up.
  live.add_interface({.name = device_name_, .mtu = 65535, .addresses = {}, .routes = {}}, *attached_);
  auto icmp = IcmpListener::open(live.loop(), live.host().chunks(),
                                 [&live](const wire::ReceivedPacket& packet) { live.inject(packet); });
  if (!icmp) return tl::unexpected(icmp.error());
  icmp_ = std::move(*icmp);
  live.loop().add(monitor_->descriptor(), Interest::kRead, [this](Readiness) { on_machine_changed(); });
  return sync();
}

void SharedUplinks::on_machine_changed() {
  monitor_->drain();
  if (sync_timer_ != 0) return;
  sync_timer_ = live_->loop().call_at(live_->now() + kSettleTime, [this] {
    sync_timer_ = 0;
    sync();  // what cannot be set now is tried again with the next change
  });
}

SharedUplinks::Machine SharedUplinks::read_machine() {
  Machine machine{netlink_->links(), netlink_->addresses(), netlink_->routes(wire::Family::kV4)};
  if (config_.use_ipv6) {
    const std::vector<KernelRoute> v6 = netlink_->routes(wire::Family::kV6);
    machine.routes.insert(machine.routes.end(), v6.begin(), v6.end());
  }
  return machine;
}

Setup<void> SharedUplinks::sync() {
  const Machine machine = read_machine();
  std::set<std::string> seen;
  for (const Link& link : machine.links) {
    const bool is_known = uplinks_.contains(link.name);
    if (!is_wanted(link, machine) && !(is_known && !link.is_up)) continue;
    Uplink* uplink = find_or_add(link);
    if (uplink == nullptr) continue;
    seen.insert(link.name);
    uplink->link_index = link.index;
    live_->host().set_mtu(uplink->interface, link.mtu);
    drop_addresses(*uplink, usable_addresses(link.index, machine));
    if (!link.is_up) set_up_state(*uplink, false);
  }
  for (auto& [name, uplink] : uplinks_) {
    if (seen.contains(name)) continue;
    drop_addresses(uplink, {});
    set_up_state(uplink, false);
  }
  Setup<void> result;
  {
    const FileDescriptor lock = directory_.lock();
    MachineChanges changes(directory_, *netlink_);
    result = set_uplink_sysctls(changes);
  }
  for (const Link& link : machine.links) {
    if (!seen.contains(link.name)) continue;
    Uplink& uplink = uplinks_[link.name];
    for (const LinkAddress& a : usable_addresses(link.index, machine)) uplink.addresses.insert(a);
  }
  sync_routes(machine);
  sync_rules();
  on_endpoints_changed();  // a port that the kernel has is tried again with the next change
  // The host last: from here on it may send.
  for (const Link& link : machine.links) {
    if (!seen.contains(link.name)) continue;
    Uplink& uplink = uplinks_[link.name];
    tell_routes(uplink, machine);
    add_addresses(link.name, uplink, usable_addresses(link.index, machine));
    set_up_state(uplink, link.is_up);
  }
  return result;
}

std::set<LinkAddress> SharedUplinks::usable_addresses(int link_index, const Machine& machine) const {
  std::set<LinkAddress> result;
  for (const LinkAddress& a : machine.addresses) {
    const bool is_enabled = a.address.is_v4() ? config_.use_ipv4 : config_.use_ipv6;
    if (a.link_index == link_index && a.is_global && a.is_usable && is_enabled) result.insert(a);
  }
  return result;
}

bool SharedUplinks::is_wanted(const Link& link, const Machine& machine) const {
  const auto contains = [&link](const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), link.name) != names.end();
  };
  if (link.is_loopback || link.index == device_index_ || contains(config_.excluded_interfaces)) return false;
  if (usable_addresses(link.index, machine).empty()) return false;
  if (!config_.interfaces.empty()) return contains(config_.interfaces);
  if (!link.is_up || link.is_enslaved) return false;
  if (link.kind != "bridge" && link.kind != "tun") return true;
  // A bridge to virtual machines, or another program's tunnel: an uplink only if it leads somewhere.
  return std::any_of(machine.routes.begin(), machine.routes.end(), [&link](const KernelRoute& route) {
    return route.link_index == link.index && route.table == RT_TABLE_MAIN && route.destination.bits == 0;
  });
}

SharedUplinks::Uplink* SharedUplinks::find_or_add(const Link& link) {
  const auto known = uplinks_.find(link.name);
  if (known != uplinks_.end()) return &known->second;
  if (next_table_ == kMaxUplinks) return nullptr;
  Uplink& uplink = uplinks_[link.name];
  uplink.table = uplink_table(record_.number, next_table_++);
  uplink.interface =
      live_->add_interface({.name = link.name, .mtu = link.mtu, .addresses = {}, .routes = {}}, *attached_);
  return &uplink;
}

void SharedUplinks::set_up_state(Uplink& uplink, bool is_up) {
  if (uplink.is_up == is_up) return;
  uplink.is_up = is_up;
  live_->host().set_interface_up(uplink.interface, is_up, live_->now());
}

void SharedUplinks::drop_addresses(Uplink& uplink, const std::set<LinkAddress>& kept) {
  for (auto it = uplink.addresses.begin(); it != uplink.addresses.end();) {
    if (kept.contains(*it)) {
      ++it;
      continue;
    }
    if (const auto endpoint = endpoints_.find(it->address); endpoint != endpoints_.end()) {
      live_->host().remove_endpoint(endpoint->second, live_->now());
      endpoints_.erase(endpoint);
    }
    live_->host().remove_address(uplink.interface, it->address, live_->now());
    it = uplink.addresses.erase(it);
  }
}

void SharedUplinks::add_addresses(const std::string& name, Uplink& uplink,
                                  const std::set<LinkAddress>& wanted) {
  for (const LinkAddress& a : wanted) {
    live_->host().add_address(uplink.interface, {a.address, a.prefix_bits}, live_->now());
    add_endpoint(name, uplink, a);
  }
}

// One endpoint for each network of a link: privacy addresses beside the stable one are no path of their own.
void SharedUplinks::add_endpoint(const std::string& name, const Uplink& uplink, const LinkAddress& address) {
  if (!config_.auto_endpoints || !address.is_preferred || endpoints_.contains(address.address)) return;
  for (const LinkAddress& other : uplink.addresses) {
    const bool is_same_network = other.address.family() == address.address.family() &&
                                 wire::in_prefix(other.address, address.address, address.prefix_bits);
    if (is_same_network && endpoints_.contains(other.address)) return;
  }
  mptcp::PathEndpoint endpoint;
  endpoint.address = address.address;
  endpoint.interface = name;
  endpoint.is_subflow = true;
  endpoint.is_signal = true;
  const auto id = live_->host().add_endpoint(endpoint, live_->now());
  if (id) endpoints_.emplace(address.address, *id);
}

void SharedUplinks::tell_routes(Uplink& uplink, const Machine& machine) {
  std::vector<host::Route> routes;
  for (const KernelRoute& route : machine.routes) {
    if (route.link_index != uplink.link_index || route.table != RT_TABLE_MAIN) continue;
    routes.push_back({route.destination.network, route.destination.bits, route.metric});
  }
  if (routes == uplink.routes) return;
  uplink.routes = routes;
  live_->host().set_routes(uplink.interface, std::move(routes), live_->now());
}

// Each uplink's table: what the main table has for that link, and nothing beyond, lest a path leaves by
// another's link when its own is gone. Only where it leads to its own neighbours alone, so that nothing of
// that can be, neighbours on other links who call this one's address get their answer, as from the kernel.
void SharedUplinks::sync_routes(const Machine& machine) {
  std::set<KernelRoute> wanted;
  for (const auto& [name, uplink] : uplinks_) {
    for (KernelRoute route : machine.routes) {
      if (route.table != RT_TABLE_MAIN || route.link_index == 0) continue;
      if (route.link_index != uplink.link_index) continue;
      route.table = uplink.table;
      wanted.insert(route);
    }
    for (KernelRoute route : machine.routes) {
      const bool is_of_neighbours =
          route.table == RT_TABLE_MAIN && !route.gateway && route.destination.bits != 0;
      const bool is_of_other = std::ranges::any_of(uplinks_, [&](const auto& other) {
        return other.first != name && other.second.link_index == route.link_index;
      });
      if (!is_of_neighbours || !is_of_other ||
          machine.has_default_route(uplink.link_index, route.destination.network.family()))
        continue;
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

Setup<void> SharedUplinks::set_uplink_sysctls(MachineChanges& changes) {
  for (const auto& [name, uplink] : uplinks_) {
    const auto done = changes.set(conf_path(wire::Family::kV4, name, "forwarding"), "1",
                                  "what comes for Braid is forwarded to it");
    if (!done) return done;
  }
  if (auto done = set_reverse_path_filter(changes); !done) return done;
  return config_.use_ipv6 ? set_forwarding_v6(changes) : Setup<void>{};
}

// The filter that counts is the larger of "all" and the device's own (ip-sysctl, rp_filter).
Setup<void> SharedUplinks::set_reverse_path_filter(MachineChanges& changes) {
  constexpr const char* kWhy = "what Braid sends has this machine's addresses";
  const auto number = [](const std::string& path) { return std::stoi(read_sysctl(path).value_or("0")); };
  const std::string all_path = conf_path(wire::Family::kV4, "all", "rp_filter");
  const int all = number(all_path);
  if (all != 0) {
    // What "all" did for every device, each then does for itself.
    std::vector<std::string> devices = {"default"};
    for (const Link& link : netlink_->links()) {
      if (link.index != device_index_) devices.push_back(link.name);
    }
    for (const std::string& device : devices) {
      const std::string path = conf_path(wire::Family::kV4, device, "rp_filter");
      if (number(path) >= all) continue;
      if (auto done = changes.set(path, std::to_string(all), kWhy); !done) return done;
    }
    if (auto done = changes.set(all_path, "0", kWhy); !done) return done;
  }
  if (uplinks_.size() < 2) return {};
  // Strict filtering drops what comes by an uplink that is not the main table's choice: the other paths.
  for (const auto& [name, uplink] : uplinks_) {
    const std::string path = conf_path(wire::Family::kV4, name, "rp_filter");
    if (number(path) != 1) continue;
    if (auto done = changes.set(path, "2", "paths by several uplinks"); !done) return done;
  }
  return {};
}

Setup<void> SharedUplinks::set_forwarding_v6(MachineChanges& changes) {
  constexpr const char* kWhy = "what Braid sends and gets is forwarded";
  const auto has_v6 = [](const auto& entry) {
    return std::any_of(entry.second.addresses.begin(), entry.second.addresses.end(),
                       [](const LinkAddress& a) { return a.address.is_v6(); });
  };
  if (std::none_of(uplinks_.begin(), uplinks_.end(), has_v6)) return {};
  // Since Linux 6.17 forwarding can be switched on for single devices, and the machine stays a host.
  if (read_sysctl(conf_path(wire::Family::kV6, device_name_, "force_forwarding"))) {
    auto done = set_device_sysctl(conf_path(wire::Family::kV6, device_name_, "force_forwarding"), "1", kWhy);
    if (!done) return done;
    for (const auto& [name, uplink] : uplinks_) {
      done = changes.set(conf_path(wire::Family::kV6, name, "force_forwarding"), "1", kWhy);
      if (!done) return done;
    }
    return {};
  }
  // A router ignores router advertisements unless accept_ra is 2: keep the addresses that come from them.
  for (const Link& link : netlink_->links()) {
    const std::string path = conf_path(wire::Family::kV6, link.name, "accept_ra");
    if (link.index == device_index_ || read_sysctl(path) != "1") continue;
    if (auto done = changes.set(path, "2", "to go on taking router advertisements"); !done) return done;
  }
  return changes.set("net/ipv6/conf/all/forwarding", "1", kWhy);
}

}  // namespace braid::io
