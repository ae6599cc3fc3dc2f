#include <fmt/format.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "doctor/checks.h"
#include "doctor/machine.h"
#include "io/machine_changes.h"
#include "io/routing_tables.h"
#include "io/sysctl.h"

namespace braid::doctor {

namespace {
constexpr uint32_t kLeastMtuOfV6 = 1280;  // RFC 8200, 5
constexpr uint32_t kUsualMtu = 1500;

Finding number_of(const Machine& machine) {
  std::string names;
  for (const Uplink& uplink : machine.uplinks) {
    std::string addresses;
    for (const auto& address : uplink.addresses)
      addresses += (addresses.empty() ? "" : " ") + address.to_string();
    names += fmt::format("{}{} ({})", names.empty() ? "" : ", ", uplink.link.name, addresses);
  }
  if (machine.uplinks.empty()) {
    return {Severity::kBlocks, "uplinks", "no device is up and has a global address",
            "there is no path at all",
            "ip -brief address   # which device should it be?\nsudo ip link set DEVICE up"};
  }
  if (machine.uplinks.size() == 1) {
    return {Severity::kNote, "uplinks", "one uplink: " + names,
            "one path, unless the peer announces addresses; a second uplink makes it Multipath TCP's case",
            ""};
  }
  return {Severity::kFine, "uplinks", fmt::format("{} uplinks: {}", machine.uplinks.size(), names), "", ""};
}

void check_default_routes(const Machine& machine, Findings& findings) {
  for (const Uplink& uplink : machine.uplinks) {
    for (const wire::Family family : {wire::Family::kV4, wire::Family::kV6}) {
      const bool is_v4 = family == wire::Family::kV4;
      const bool has_address = std::ranges::any_of(
          uplink.addresses, [&](const wire::IpAddress& a) { return a.family() == family; });
      if (!has_address || machine.default_route(uplink.link.index, family) != nullptr) continue;
      const bool others_have = std::ranges::any_of(machine.uplinks, [&](const Uplink& other) {
        return machine.default_route(other.link.index, family) != nullptr;
      });
      if (!others_have) continue;
      findings.push_back(
          {Severity::kWarning, "default-route",
           fmt::format("{} has an IPv{} address and no default route", uplink.link.name, is_v4 ? 4 : 6),
           "no path by it beyond its own network",
           fmt::format("sudo ip {}route add default via GATEWAY dev {} metric 200", is_v4 ? "" : "-6 ",
                       uplink.link.name)});
    }
  }
}

// From ip(8): libnl's cache takes two routes with one destination and metric for the same object, and those
// are what is looked for.
void check_metrics(const Machine& machine, Findings& findings) {
  for (const char* family : {"-4", "-6"}) {
    std::map<uint32_t, std::vector<std::string>> by_metric;
    std::istringstream lines(output_of(fmt::format("ip {} -o route show default", family)));
    std::string line;
    while (std::getline(lines, line)) {
      std::istringstream words(line);
      std::string word, device;
      uint32_t metric = 0;
      while (words >> word) {
        if (word == "dev") words >> device;
        if (word == "metric") words >> metric;
      }
      const auto is_it = [&device](const Uplink& u) { return u.link.name == device; };
      if (std::ranges::any_of(machine.uplinks, is_it)) by_metric[metric].push_back(device);
    }
    for (const auto& [metric, names] : by_metric) {
      if (names.size() < 2 || names[0] == names[1]) continue;
      findings.push_back(
          {Severity::kWarning, "metrics",
           fmt::format("default routes by {} and {} have the same metric {}", names[0], names[1], metric),
           "Braid sees only one of them: by the other uplink there is no path beyond its own network",
           fmt::format("ip {0} route show default\nsudo ip {0} route add default ... dev {1} metric {2}   # "
                       "and delete the old one",
                       family, names[1], metric + 100)});
    }
  }
}

void check_mtu(const Machine& machine, Findings& findings) {
  for (const Uplink& uplink : machine.uplinks) {
    const uint32_t mtu = uplink.link.mtu;
    const bool has_v6 = std::ranges::any_of(uplink.addresses, [](const auto& a) { return a.is_v6(); });
    if (mtu < kLeastMtuOfV6) {
      findings.push_back({Severity::kWarning, "mtu",
                          fmt::format("{} has an MTU of {}", uplink.link.name, mtu),
                          has_v6 ? "IPv6 needs 1280 (RFC 8200, 5)" : "many small packets: slow",
                          fmt::format("sudo ip link set {} mtu 1500", uplink.link.name)});
    } else if (mtu > kUsualMtu && uplink.link.kind.empty()) {
      findings.push_back(
          {Severity::kNote, "mtu", fmt::format("{} has an MTU of {}", uplink.link.name, mtu),
           "larger segments; beyond its network path MTU discovery must work: ICMP must not be filtered",
           ""});
    }
  }
  const auto no_discovery = io::read_sysctl("net/ipv4/ip_no_pmtu_disc").value_or("0");
  if (no_discovery != "0") {
    findings.push_back(
        {Severity::kWarning, "mtu", "net.ipv4.ip_no_pmtu_disc=" + no_discovery,
         "the kernel does not act on ICMP's word of a path's MTU for what it forwards for Braid",
         "sudo sysctl -w net.ipv4.ip_no_pmtu_disc=0"});
  }
}

void check_v6(const Machine& machine, const io::NetworkConfig& config, Findings& findings) {
  if (!config.use_ipv6) return;
  for (const Uplink& uplink : machine.uplinks) {
    const auto disabled = io::read_sysctl(fmt::format("net/ipv6/conf/{}/disable_ipv6", uplink.link.name));
    if (disabled == "1") {
      findings.push_back({Severity::kNote, "ipv6", fmt::format("IPv6 is off on {}", uplink.link.name),
                          "paths by IPv4 only",
                          fmt::format("sudo sysctl -w net.ipv6.conf.{}.disable_ipv6=0", uplink.link.name)});
    }
  }
}

// Before Braid's own: whatever matches there never comes to Braid's tables.
void check_rules(io::Netlink& netlink, Findings& findings) {
  for (const wire::Family family : {wire::Family::kV4, wire::Family::kV6}) {
    for (const io::Rule& rule : netlink.rules(family)) {
      if (rule.table == RT_TABLE_LOCAL || rule.table == RT_TABLE_MAIN || rule.table == RT_TABLE_DEFAULT)
        continue;
      if (io::is_any_instance_table(rule.table) || rule.priority > io::kOutboundPriority) continue;
      findings.push_back(
          {Severity::kWarning, "policy-rules",
           fmt::format("the policy rule {} (table {}) stands before Braid's", rule.priority, rule.table),
           "what it matches does not come to Braid, or leaves by another uplink",
           fmt::format("ip {}rule show priority {}   # whose is it?\n"
                       "sudo ip {}rule add priority 20000 ...   # the same behind Braid's ({} to {})",
                       family == wire::Family::kV4 ? "" : "-6 ", rule.priority,
                       family == wire::Family::kV4 ? "" : "-6 ", io::kInboundPriority,
                       io::kOutboundPriority)});
    }
  }
}
}  // namespace

std::optional<Machine> read_machine(io::Netlink& netlink, const io::NetworkConfig& config) {
  Machine machine;
  machine.routes = netlink.routes(wire::Family::kV4);
  const auto v6 = netlink.routes(wire::Family::kV6);
  machine.routes.insert(machine.routes.end(), v6.begin(), v6.end());
  const auto addresses = netlink.addresses();
  for (const io::Link& link : netlink.links()) {
    const auto is_in = [&link](const auto& names) { return std::ranges::count(names, link.name) > 0; };
    if (link.is_loopback || !link.is_up || link.is_enslaved || is_in(config.excluded_interfaces)) continue;
    if (!config.interfaces.empty() && !is_in(config.interfaces)) continue;
    Uplink uplink{link, {}};
    for (const io::LinkAddress& a : addresses) {
      const bool is_used = a.address.is_v4() ? config.use_ipv4 : config.use_ipv6;
      if (a.link_index == link.index && a.is_global && a.is_usable && is_used)
        uplink.addresses.push_back(a.address);
    }
    if (uplink.addresses.empty()) continue;
    const bool leads_somewhere = machine.default_route(link.index, wire::Family::kV4) != nullptr ||
                                 machine.default_route(link.index, wire::Family::kV6) != nullptr;
    if (config.interfaces.empty() && (link.kind == "bridge" || link.kind == "tun") && !leads_somewhere)
      continue;
    machine.uplinks.push_back(std::move(uplink));
  }
  return machine;
}

const io::KernelRoute* Machine::default_route(int link_index, wire::Family family) const {
  for (const io::KernelRoute& route : routes) {
    if (route.table == RT_TABLE_MAIN && route.link_index == link_index && route.destination.bits == 0 &&
        route.destination.network.family() == family)
      return &route;
  }
  return nullptr;
}

Findings check_uplinks(const io::NetworkConfig& config) {
  auto netlink = io::Netlink::open();
  if (!netlink)
    return {
        {Severity::kBlocks, "uplinks", netlink.error().message, "Braid cannot see the host's devices", ""}};
  const auto machine = read_machine(**netlink, config);
  Findings findings = {number_of(*machine)};
  check_default_routes(*machine, findings);
  check_metrics(*machine, findings);
  check_mtu(*machine, findings);
  check_v6(*machine, config, findings);
  check_rules(**netlink, findings);
  return findings;
}

}  // namespace braid::doctor
