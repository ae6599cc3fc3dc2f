#include "host/listener_table.h"

#include <algorithm>

namespace braid::host {

namespace {

// Whether a wildcard listener takes connections to addresses of the family.
bool covers(const wire::Endpoint& wildcard, const ListenOptions& options, wire::Family family) {
  if (!wildcard.address.is_unspecified()) return false;
  return wildcard.address.family() == family || (wildcard.address.is_v6() && !options.is_v6_only);
}

bool overlap(const wire::Endpoint& a, const ListenOptions& a_options, const wire::Endpoint& b,
             const ListenOptions& b_options) {
  return a.address == b.address || covers(a, a_options, b.address.family()) ||
         covers(b, b_options, a.address.family());
}

}  // namespace

bool ListenerTable::is_taken(const wire::Endpoint& local, const ListenOptions& options) const {
  const auto at_port = by_port_.find(local.port);
  if (at_port == by_port_.end()) return false;
  return std::any_of(at_port->second.begin(), at_port->second.end(), [&](const Listener* other) {
    return overlap(local, options, other->local, other->options) &&
           !(options.reuse_port && other->options.reuse_port);
  });
}

Listener* ListenerTable::insert(const wire::Endpoint& local, const ListenOptions& options) {
  if (is_taken(local, options)) return nullptr;
  auto listener = std::make_unique<Listener>();
  Listener* inserted = listener.get();
  inserted->local = local;
  inserted->options = options;
  inserted->id = listeners_.insert(std::move(listener));
  by_port_[local.port].push_back(inserted);
  return inserted;
}

std::unique_ptr<Listener> ListenerTable::remove(ListenerId id) {
  std::unique_ptr<Listener> listener = listeners_.remove(id);
  if (listener == nullptr) return nullptr;
  const auto at_port = by_port_.find(listener->local.port);
  std::erase(at_port->second, listener.get());
  if (at_port->second.empty()) by_port_.erase(at_port);
  return listener;
}

Listener* ListenerTable::match(const wire::Endpoint& local, uint64_t choice) const {
  if (Listener* listener = match_at(local.port, local, choice)) return listener;
  return match_at(kAnyPort, local, choice);
}

Listener* ListenerTable::match_at(uint16_t port, const wire::Endpoint& local, uint64_t choice) const {
  const auto at_port = by_port_.find(port);
  if (at_port == by_port_.end()) return nullptr;
  // 3: the address itself, 2: the family's wildcard, 1: an IPv6 wildcard that takes IPv4 too.
  const auto rank = [&](const Listener& l) {
    if (l.local.address == local.address) return 3;
    if (!covers(l.local, l.options, local.address.family())) return 0;
    return l.local.address.family() == local.address.family() ? 2 : 1;
  };
  int best = 0;
  uint64_t count = 0;
  for (const Listener* l : at_port->second) {
    const int r = rank(*l);
    if (r > best) best = r, count = 0;
    if (r == best) ++count;
  }
  if (best == 0) return nullptr;
  uint64_t skip = choice % count;
  for (Listener* l : at_port->second) {
    if (rank(*l) == best && skip-- == 0) return l;
  }
  return nullptr;
}

}  // namespace braid::host
