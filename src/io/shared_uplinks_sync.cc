// Following the machine: its links, addresses and routes are read anew after each change, and what should be
// (the host's interfaces and endpoints, rules, routes, parameters) is compared with what is.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "io/shared_uplinks_machine.h"
#include "io/sysctl.h"

namespace braid::io {

namespace {
// Changes come in bursts: a link that goes takes addresses and routes with it.
constexpr Duration kSettleTime = 2ms;
// Some firewalls change their rules all the time, and reading them takes a while.
constexpr Duration kFirewallSettleTime = 200ms;

std::string conf_path(wire::Family family, const std::string& device, const char* parameter) {
  return fmt::format("net/{}/conf/{}/{}", family == wire::Family::kV4 ? "ipv4" : "ipv6", device, parameter);
}
}  // namespace

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
  watch_firewall();
  return sync();
}

void SharedUplinks::watch_firewall() {
  if (firewall_->descriptor() < 0) return;
  live_->loop().add(firewall_->descriptor(), Interest::kRead, [this](Readiness) {
    firewall_->drain();
    if (firewall_timer_ != 0) return;
    firewall_timer_ = live_->loop().call_at(live_->now() + kFirewallSettleTime, [this] {
      firewall_timer_ = 0;
      firewall_->sync();
    });
  });
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
  unused_.clear();
  for (const Link& link : machine.links) {
    const bool is_known = uplinks_.contains(link.name);
    const std::string reason = reason_against(link, machine);
    if (!reason.empty() && !(is_known && !link.is_up)) {
      if (!link.is_loopback && link.index != device_index_) unused_[link.name] = reason;
      continue;
    }
    Uplink* uplink = find_or_add(link);
    if (uplink == nullptr) {
      unused_[link.name] = fmt::format("one more than {} uplinks", kMaxUplinks);
      continue;
    }
    seen.insert(link.name);
    uplink->link_index = link.index;
    uplink->kind = link.kind;
    uplink->mtu = link.mtu;
    live_->host().set_mtu(uplink->interface, link.mtu);
    find_ways(link, *uplink, machine);
    drop_addresses(*uplink, usable_addresses(link.index, machine));
    if (!link.is_up) set_up_state(*uplink, false);
  }
  for (auto& [name, uplink] : uplinks_) {
    if (seen.contains(name)) continue;
    drop_addresses(uplink, {});
    uplink.ways.clear();
    set_up_state(uplink, false);
  }
  Setup<void> result;
  {
    const FileDescriptor lock = directory_.lock();
    MachineChanges changes(directory_, *netlink_);
    result = set_uplink_sysctls(changes);
    // Some network managers remove what they do not know, or put back what was moved.
    changes.move_local_rule(wire::Family::kV4);
    if (config_.use_ipv6) changes.move_local_rule(wire::Family::kV6);
  }
  for (const Link& link : machine.links) {
    if (!seen.contains(link.name)) continue;
    uplinks_[link.name].addresses = usable_addresses(link.index, machine);
  }
  sync_routes(machine);
  add_missing_rules();
  sync_rules();
  on_endpoints_changed();  // a port that the kernel has is tried again with the next change
  // The host last: from here on it may send.
  for (const Link& link : machine.links) {
    if (!seen.contains(link.name)) continue;
    Uplink& uplink = uplinks_[link.name];
    tell_routes(uplink);
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

// Empty: it is an uplink.
std::string SharedUplinks::reason_against(const Link& link, const Machine& machine) const {
  const auto contains = [&link](const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), link.name) != names.end();
  };
  if (link.is_loopback || link.index == device_index_) return "the machine's own";
  if (contains(config_.excluded_interfaces)) return "excluded by the configuration";
  if (!config_.interfaces.empty() && !contains(config_.interfaces)) return "not among those asked for";
  if (!link.is_up) return "no carrier";
  if (config_.interfaces.empty() && link.is_enslaved) return "part of a bridge or bond";
  if (usable_addresses(link.index, machine).empty()) return "no global address";
  if (!config_.interfaces.empty()) return {};
  // A bridge to virtual machines, or another program's tunnel: an uplink only if it leads somewhere.
  const bool is_inner = link.kind == "bridge" || link.kind == "tun";
  return is_inner && !machine.has_default_route(link.index) ? "a " + link.kind + " without a default route"
                                                            : std::string();
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
    const auto same = std::ranges::find(kept, it->address, &LinkAddress::address);
    if (same != kept.end() && same->link_index == it->link_index) {
      ++it;
      continue;
    }
    if (const auto endpoint = endpoints_.find(it->address); endpoint != endpoints_.end()) {
      live_->host().remove_endpoint(endpoint->second, live_->now());
      endpoints_.erase(endpoint);
      retired_.erase(it->address);
    }
    live_->host().remove_address(uplink.interface, it->address, live_->now());
    it = uplink.addresses.erase(it);
  }
}

void SharedUplinks::add_addresses(const std::string& name, Uplink& uplink,
                                  const std::set<LinkAddress>& wanted) {
  for (const LinkAddress& a : wanted) {
    const host::AddressConfig own = {a.address, a.prefix_bits, !a.is_preferred};
    live_->host().add_address(uplink.interface, own, live_->now());
    add_endpoint(name, uplink, a);
  }
  for (const LinkAddress& a : wanted) sync_preference(uplink, a);
}

// A deprecated address (RFC 4862, 5.5.4) serves what has it, until it goes; where the link has another, that
// one is the path now. A backup path makes room for it, but not before it is there.
void SharedUplinks::sync_preference(const Uplink& uplink, const LinkAddress& address) {
  const auto ours = endpoints_.find(address.address);
  if (ours == endpoints_.end()) return;
  const bool has_successor = std::ranges::any_of(uplink.addresses, [&](const LinkAddress& other) {
    return other.is_preferred && other.address.family() == address.address.family() &&
           endpoints_.contains(other.address);
  });
  const bool is_to_retire = !address.is_preferred && has_successor;
  if (is_to_retire == retired_.contains(address.address)) return;
  for (const mptcp::PathEndpoint& endpoint : live_->host().path_config().endpoints) {
    if (endpoint.id != ours->second) continue;
    if (is_to_retire == endpoint.is_backup) return;  // by somebody else's wish
    live_->host().change_endpoint(endpoint.id, is_to_retire, endpoint.is_fullmesh, live_->now());
    break;
  }
  if (is_to_retire) {
    retired_.insert(address.address);
  } else {
    retired_.erase(address.address);
  }
}

// One endpoint for each network of a link: privacy addresses beside the stable one are no path of their own.
void SharedUplinks::add_endpoint(const std::string& name, const Uplink& uplink, const LinkAddress& address) {
  if (!config_.auto_endpoints || !address.is_preferred || endpoints_.contains(address.address)) return;
  for (const LinkAddress& other : uplink.addresses) {
    const bool is_same_network = other.address.family() == address.address.family() &&
                                 wire::in_prefix(other.address, address.address, address.prefix_bits);
    if (is_same_network && other.is_preferred && endpoints_.contains(other.address)) return;
  }
  mptcp::PathEndpoint endpoint;
  endpoint.address = address.address;
  endpoint.interface = name;
  endpoint.is_subflow = true;
  endpoint.is_signal = true;
  const auto id = live_->host().add_endpoint(endpoint, live_->now());
  if (id) endpoints_.emplace(address.address, *id);
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
