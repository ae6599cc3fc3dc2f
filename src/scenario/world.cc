#include "scenario/world.h"

#include <algorithm>
#include <array>
#include <deque>

#include "base/check.h"
#include "sim/middlebox/registry.h"

namespace braid::scenario {

namespace {

using sim::Direction;

/// Networks of four addresses in the ranges for documentation; a topology with more links has IPv6.
constexpr std::array<uint32_t, 3> kRanges = {0xc6336400, 0xcb007100, 0xc0000200};
constexpr size_t kNetworksPerRange = 64;

bool needs_wide_addresses(const Scenario& scenario) {
  return scenario.is_ipv6 || scenario.links.size() > kRanges.size() * kNetworksPerRange;
}

}  // namespace

World::World(const Scenario& scenario, uint64_t seed, HostPlace place)
    : scenario_(scenario),
      place_(place),
      network_(seed),
      has_wide_addresses_(needs_wide_addresses(scenario)) {
  if (place == HostPlace::kInside) {
    for (const HostSpec& spec : scenario.hosts)
      hosts_[spec.name] = &network_.add_host(spec.name, spec.config);
  }
  uint32_t number = 0;
  for (const std::string& name : scenario.routers) {
    routers_[name] = &network_.add_router(name);
    // For ICMP only; nobody sends to it.
    std::array<uint8_t, 16> bytes = {0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff};
    bytes[14] = static_cast<uint8_t>(++number >> 8);
    bytes[15] = static_cast<uint8_t>(number);
    routers_[name]->set_address(wire::IpAddress::v6(bytes));
    routers_[name]->set_address(wire::IpAddress::v4(0xc00002ff - number % 64));
  }
  make_links();
  make_routes();
  make_given_routes();
}

wire::IpAddress World::address(size_t link_index, int end) const {
  if (!has_wide_addresses_) {
    return wire::IpAddress::v4(kRanges[link_index / kNetworksPerRange] +
                               static_cast<uint32_t>(link_index % kNetworksPerRange) * 4 +
                               static_cast<uint32_t>(end));
  }
  std::array<uint8_t, 16> bytes = {0x20, 0x01, 0x0d, 0xb8};
  bytes[6] = static_cast<uint8_t>((link_index + 1) >> 8);
  bytes[7] = static_cast<uint8_t>(link_index + 1);
  bytes[15] = static_cast<uint8_t>(end);
  return wire::IpAddress::v6(bytes);
}

void World::make_links() {
  for (size_t i = 0; i < scenario_.links.size(); ++i) {
    const LinkSpec& spec = scenario_.links[i];
    sim::Link& link = network_.add_link(spec.name);
    links_[spec.name] = &link;
    link.configure(Direction::kForward, spec.directions[0], network_.now());
    link.configure(Direction::kBackward, spec.directions[1], network_.now());
    for (const MiddleboxSpec& box : spec.middleboxes) {
      auto made = sim::make_middlebox(box.kind, box.options, network_.seed_for(spec.name + box.kind));
      BRAID_CHECK(made.has_value());  // it was tried when the file was read
      link.add_middlebox(std::move(*made));
    }
    attach(spec, i, link);
  }
}

void World::attach(const LinkSpec& spec, size_t index, sim::Link& link) {
  const bool is_routed = is_router(spec.between[0]) || is_router(spec.between[1]);
  std::array<sim::Port*, 2> ports{};
  for (int end = 0; end < 2; ++end) {
    const std::string& name = spec.between[static_cast<size_t>(end)];
    const Direction away = end == 0 ? Direction::kForward : Direction::kBackward;
    if (!is_router(name)) {
      ports[static_cast<size_t>(end)] = &attach_host(name, index, end, link, is_routed);
      continue;
    }
    const uint32_t port = routers_[name]->add_port(link, away);
    ports[static_cast<size_t>(end)] = &routers_[name]->port(port);
    ports_[name][&link] = port;
    const std::string& other = spec.between[static_cast<size_t>(1 - end)];
    if (is_router(other)) neighbours_[name].emplace_back(other, port);
  }
  link.connect(*ports[0], *ports[1]);
  if (!is_routed || (is_router(spec.between[0]) && is_router(spec.between[1]))) return;
  Subnet subnet{{address(index, 0), has_wide_addresses_ ? 64 : 30}, {}, &link};
  for (const std::string& name : spec.between) {
    if (is_router(name)) subnet.routers.push_back(name);
  }
  subnets_.push_back(std::move(subnet));
}

sim::Port& World::attach_host(const std::string& name, size_t link_index, int end, sim::Link& link,
                              bool is_routed) {
  Attachment attachment;
  attachment.host = name;
  attachment.address = address(link_index, end + 1);
  attachment.prefix_bits = has_wide_addresses_ ? 64 : 30;
  attachment.has_default_route = is_routed;
  attachment.link = &link;
  attachment.away = end == 0 ? Direction::kForward : Direction::kBackward;
  attachment.is_there_at_first = is_there_at_first(name, link.name());
  addresses_.emplace(name, attachment.address);
  // Who opens connections opens subflows from it, who accepts them announces it.
  const auto& workloads = scenario_.workloads;
  attachment.is_subflow = std::ranges::count(workloads, name, &WorkloadSpec::from) > 0;
  attachment.is_signal = std::ranges::count(workloads, name, &WorkloadSpec::to) > 0;
  // What programs will do, nobody knows.
  if (!attachment.is_subflow && !attachment.is_signal) attachment.is_subflow = attachment.is_signal = true;
  if (place_ == HostPlace::kOutside) attachment.edge = &network_.add_edge();
  attachments_.push_back(attachment);
  if (attachment.edge != nullptr) return *attachment.edge;
  return attach_inside(attachment);
}

sim::Port& World::attach_inside(const Attachment& attachment) {
  sim::HostNode& node = *hosts_.at(attachment.host);
  host::InterfaceConfig config;
  config.name = attachment.link->name();
  const host::AddressConfig own = {attachment.address, attachment.prefix_bits};
  if (attachment.is_there_at_first) config.addresses = {own};
  const wire::Family family = has_wide_addresses_ ? wire::Family::kV6 : wire::Family::kV4;
  if (attachment.has_default_route)
    config.routes = {{wire::IpAddress::any(family), 0, static_cast<uint32_t>(node.interfaces().size())}};
  const host::InterfaceId id = node.add_interface(config, *attachment.link, attachment.away);
  const EndpointUse use = {attachment.is_subflow, attachment.is_signal};
  HostAddresses& addresses = host_addresses_.try_emplace(attachment.host, node, use).first->second;
  addresses.add(config.name, id, own, attachment.is_there_at_first, network_.now());
  return node.port(id);
}

/// What happens to an address first may be that it comes.
bool World::is_there_at_first(const std::string& host, const std::string& link) const {
  const EventSpec* first = nullptr;
  for (const EventSpec& event : scenario_.events) {
    const bool is_of_address =
        event.kind == EventSpec::Kind::kAddressAdded || event.kind == EventSpec::Kind::kAddressRemoved;
    if (!is_of_address || event.subject != host || event.link != link) continue;
    if (first == nullptr || event.at < first->at) first = &event;
  }
  return first == nullptr || first->kind == EventSpec::Kind::kAddressRemoved;
}

/// Shortest paths from every router to every network with a host, over all that are equally short.
void World::make_routes() {
  for (const RouteSpec& route : scenario_.routes) {
    if (route.host.empty() && !route.label) given_prefixes_.push_back(&route);
  }
  for (const Subnet& subnet : subnets_) {
    std::map<std::string, uint32_t> distance;
    std::deque<std::string> queue;
    for (const std::string& name : subnet.routers) {
      distance[name] = 0;
      queue.push_back(name);
      routers_[name]->set_route(subnet.prefix, {ports_[name].at(subnet.link)});
    }
    while (!queue.empty()) {
      const std::string name = queue.front();
      queue.pop_front();
      for (const auto& [next, port] : neighbours_[name]) {
        if (distance.emplace(next, distance[name] + 1).second) queue.push_back(next);
      }
    }
    for (const auto& [name, hops] : distance) {
      if (hops == 0 || is_given(name, subnet.prefix)) continue;
      std::vector<uint32_t> ports;
      for (const auto& [next, port] : neighbours_[name]) {
        const auto found = distance.find(next);
        if (found != distance.end() && found->second + 1 == hops) ports.push_back(port);
      }
      routers_[name]->set_route(subnet.prefix, std::move(ports));
    }
  }
}

/// Whether a route of the file covers the whole network, so that none is to be computed.
bool World::is_given(const std::string& router, const sim::Router::Prefix& prefix) const {
  return std::ranges::any_of(given_prefixes_, [&](const RouteSpec* route) {
    if (route->router != router || route->prefix_bits > prefix.bits) return false;
    return route->prefix_bits == 0 || (route->network.family() == prefix.network.family() &&
                                       wire::in_prefix(prefix.network, route->network, route->prefix_bits));
  });
}

void World::make_given_routes() {
  for (const RouteSpec& route : scenario_.routes) {
    std::vector<uint32_t> ports;
    for (const std::string& link : route.via) ports.push_back(ports_.at(route.router).at(links_.at(link)));
    sim::Router& router = *routers_.at(route.router);
    const auto set = [&](const sim::Router::Prefix& prefix) {
      if (route.label)
        router.set_label_route(*route.label, prefix, ports);
      else
        router.set_route(prefix, ports);
    };
    if (route.host.empty()) {
      // All there is has one family of addresses.
      const bool is_v4 = !has_wide_addresses_;
      const wire::IpAddress any = wire::IpAddress::any(is_v4 ? wire::Family::kV4 : wire::Family::kV6);
      set({route.prefix_bits == 0 ? any : route.network, route.prefix_bits});
      continue;
    }
    for (const Attachment& attachment : attachments_) {
      if (attachment.host != route.host || (!route.link.empty() && attachment.link->name() != route.link))
        continue;
      set({attachment.address, attachment.address.is_v4() ? 32 : 128});
    }
  }
}

namespace {

void change_policy(sim::HostNode& node, const EventSpec& event, Time now) {
  for (const host::Host::ConnectionEntry& entry : node.host().connections()) {
    mptcp::Connection* connection = node.host().find(entry.id);
    if (connection == nullptr) continue;
    if (!event.scheduler.empty()) BRAID_CHECK(connection->set_scheduler(event.scheduler, now));
    if (!event.congestion_control.empty())
      BRAID_CHECK(connection->set_congestion_control(event.congestion_control, now));
  }
  node.settle(now);
}

}  // namespace

void World::apply(const EventSpec& event) {
  const Time now = network_.now();
  const auto notice = event.is_silent ? sim::Link::Notice::kSilent : sim::Link::Notice::kCarrier;
  switch (event.kind) {
    case EventSpec::Kind::kLinkDown:
      return link(event.subject).set_up(false, notice, now);
    case EventSpec::Kind::kLinkUp:
      return link(event.subject).set_up(true, notice, now);
    case EventSpec::Kind::kLinkSet:
      link(event.subject).configure(Direction::kForward, event.directions[0], now);
      return link(event.subject).configure(Direction::kBackward, event.directions[1], now);
    case EventSpec::Kind::kHostRestart:
      host(event.subject).restart(now);
      return host_addresses_.at(event.subject).on_restart(now);
    case EventSpec::Kind::kAddressRemoved:
      return host_addresses_.at(event.subject).take_away(event.link, now);
    case EventSpec::Kind::kAddressAdded:
      return host_addresses_.at(event.subject).put_back(event.link, now);
    case EventSpec::Kind::kBackup:
      return host_addresses_.at(event.subject).set_backup(event.link, true, now);
    case EventSpec::Kind::kRegular:
      return host_addresses_.at(event.subject).set_backup(event.link, false, now);
    case EventSpec::Kind::kPolicy:
      return change_policy(host(event.subject), event, now);
  }
}

}  // namespace braid::scenario
