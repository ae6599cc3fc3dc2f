#include "host/network.h"

#include <algorithm>
#include <tuple>

namespace braid::host {

InterfaceId Network::add(const InterfaceConfig& config) {
  const auto id = static_cast<InterfaceId>(interfaces_.size());
  Interface& interface = interfaces_.emplace_back();
  interface.id = id;
  interface.config = config;
  interface.config.addresses.clear();
  for (const AddressConfig& address : config.addresses) add_address(id, address);
  if (config.takes_any_address) owner_of_all_ = id;
  return id;
}

bool Network::set_up(InterfaceId id, bool is_up) {
  if (id >= interfaces_.size() || interfaces_[id].is_up == is_up) return false;
  interfaces_[id].is_up = is_up;
  return true;
}

bool Network::add_address(InterfaceId id, const AddressConfig& address) {
  if (id >= interfaces_.size()) return false;
  for (AddressConfig& known : interfaces_[id].config.addresses) {
    if (known.address == address.address) known = address;
  }
  if (has_owner(address.address)) return false;
  interfaces_[id].config.addresses.push_back(address);
  owners_.push_back({address.address, id});
  return true;
}

bool Network::remove_address(InterfaceId id, const wire::IpAddress& address) {
  const auto owner = std::find_if(owners_.begin(), owners_.end(),
                                  [&](const Owner& o) { return o.interface == id && o.address == address; });
  if (owner == owners_.end()) return false;
  owners_.erase(owner);
  std::erase_if(interfaces_[id].config.addresses,
                [&](const AddressConfig& a) { return a.address == address; });
  return true;
}

bool Network::set_routes(InterfaceId id, std::vector<Route> routes) {
  if (id >= interfaces_.size()) return false;
  std::vector<Route>& known = interfaces_[id].config.routes;
  const bool has_new = std::any_of(routes.begin(), routes.end(), [&](const Route& route) {
    return std::find(known.begin(), known.end(), route) == known.end();
  });
  known = std::move(routes);
  return has_new;
}

void Network::set_mtu(InterfaceId id, uint32_t mtu) {
  if (id < interfaces_.size()) interfaces_[id].config.mtu = mtu;
}

const Network::Interface* Network::find(InterfaceId id) const {
  return id < interfaces_.size() ? &interfaces_[id] : nullptr;
}

bool Network::has_owner(const wire::IpAddress& address) const {
  return std::any_of(owners_.begin(), owners_.end(), [&](const Owner& o) { return o.address == address; });
}

const Network::Interface* Network::interface_of(const wire::IpAddress& address) const {
  // Packets come in trains: usually it is the same source as last time.
  if (last_owner_ < owners_.size() && owners_[last_owner_].address == address) {
    return &interfaces_[owners_[last_owner_].interface];
  }
  for (size_t i = 0; i < owners_.size(); ++i) {
    if (owners_[i].address == address) {
      last_owner_ = i;
      return &interfaces_[owners_[i].interface];
    }
  }
  return owner_of_all_ ? &interfaces_[*owner_of_all_] : nullptr;
}

std::optional<Network::Match> Network::best_match(const Interface& interface, const wire::IpAddress& remote) {
  std::optional<Match> best;
  const auto consider = [&](const wire::IpAddress& network, int prefix_bits, uint32_t metric) {
    if (network.family() != remote.family() || !wire::in_prefix(remote, network, prefix_bits)) return;
    const Match match{prefix_bits, metric};
    if (!best || match.is_better_than(*best)) best = match;
  };
  for (const AddressConfig& a : interface.config.addresses) consider(a.address, a.prefix_bits, 0);
  for (const Route& r : interface.config.routes) consider(r.network, r.prefix_bits, r.metric);
  return best;
}

bool Network::has_route(const wire::IpAddress& local, const wire::IpAddress& remote) const {
  if (local.family() != remote.family()) return false;
  const Interface* interface = interface_of(local);
  return interface != nullptr && interface->is_up && best_match(*interface, remote).has_value();
}

// RFC 6724, 5: one of the same scope (rule 2), not deprecated (rule 3), whose own network holds `remote`
// (rule 8); among equals the first in the order of configuration.
std::optional<wire::IpAddress> Network::source_on(const Interface& interface, const wire::IpAddress& remote) {
  std::optional<wire::IpAddress> best;
  auto best_rank = std::tuple(false, false, false);
  for (const AddressConfig& a : interface.config.addresses) {
    if (a.address.family() != remote.family()) continue;
    const auto rank = std::tuple(a.address.is_link_local() == remote.is_link_local(), !a.is_deprecated,
                                 wire::in_prefix(remote, a.address, a.prefix_bits));
    if (best && rank <= best_rank) continue;
    best = a.address;
    best_rank = rank;
  }
  return best;
}

std::optional<wire::IpAddress> Network::select_source(const wire::IpAddress& remote) const {
  std::optional<Match> best;
  std::optional<wire::IpAddress> source;
  for (const Interface& interface : interfaces_) {
    if (!interface.is_up) continue;
    const std::optional<Match> match = best_match(interface, remote);
    if (!match || (best && !match->is_better_than(*best))) continue;
    if (const auto candidate = source_on(interface, remote)) {
      best = match;
      source = candidate;
    }
  }
  return source;
}

}  // namespace braid::host
