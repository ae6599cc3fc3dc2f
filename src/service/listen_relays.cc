#include "service/listen_relays.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstring>

#include "relay/engine_end.h"
#include "relay/kernel_end.h"

namespace braid::service {

namespace {
constexpr uint32_t kBacklog = 1024;
// A service that is down is said once in a while, not for each client.
constexpr Duration kComplainInterval = 10s;

std::string hint_for(const ListenSpec& spec, int error) {
  if (error == EADDRINUSE) {
    return fmt::format(
        "Another socket has it. A service that listens on all addresses takes Braid's, too: let it listen on "
        "{} only, or on another port, and name that (--listen {}={}).",
        spec.target.to_string(), spec.local.port, "ADDRESS:PORT");
  }
  if (error == EADDRNOTAVAIL) return "Braid serves no such address.";
  return {};
}
}  // namespace

ListenRelays::ListenRelays(io::LiveHost& live, PortTable& ports)
    : live_(live), ports_(ports), relays_(live.loop()) {}

ListenRelays::~ListenRelays() {
  for (const auto& door : doors_) {
    for (const host::ListenerId listener : door->listeners) {
      live_.unwatch(listener);
      live_.host().close(listener, live_.now());
    }
  }
}

io::Setup<void> ListenRelays::open(const ListenSpec& spec) {
  auto door = std::make_unique<Door>();
  door->spec = spec;
  const bool is_dual = spec.local.address.is_unspecified();
  auto binding = ports_.bind({.local = spec.local, .is_dual = is_dual});
  const auto failed = [&spec](int error) {
    return tl::unexpected(
        io::setup_error("Cannot listen on " + spec.to_string(), error, hint_for(spec, error)));
  };
  if (!binding) return failed(binding.error());
  door->binding = std::move(*binding);
  door->binding->set_listening(true);
  std::vector<wire::Endpoint> endpoints = {spec.local};
  if (is_dual) endpoints.push_back({wire::IpAddress::any(wire::Family::kV4), spec.local.port});
  for (const wire::Endpoint& endpoint : endpoints) {
    const auto listener = live_.host().listen(endpoint, {.backlog = kBacklog});
    if (!listener) {
      for (const host::ListenerId opened : door->listeners) {
        live_.unwatch(opened);
        live_.host().close(opened, live_.now());
      }
      return failed(host::to_errno(listener.error()));
    }
    door->listeners.push_back(*listener);
    live_.watch(*listener, [this, at = door.get()](const host::Event&) { admit(*at); });
  }
  doors_.push_back(std::move(door));
  return {};
}

void ListenRelays::admit(Door& door) {
  for (const host::ListenerId listener : door.listeners) {
    while (door.connections < door.spec.max_connections) {
      const host::ConnectionId connection = live_.host().accept(listener);
      if (connection == host::ConnectionId::kNone) break;
      begin(door, connection);
    }
  }
}

void ListenRelays::begin(Door& door, host::ConnectionId id) {
  mptcp::Connection* const connection = live_.host().find(id);
  auto fd = relay::start_kernel_connect(door.spec.target);
  if (!fd || connection == nullptr) {
    if (!fd) complain(door, fd.error());
    live_.host().abort(id, live_.now());
    return;
  }
  // The service's socket decides what goes at once; nothing is held back for a fuller segment.
  connection->set_no_delay(true, live_.now());
  auto service = std::make_unique<relay::KernelEnd>(live_.loop(), live_.host().chunks(), std::move(*fd));
  if (door.spec.sends_proxy_header)
    service->set_preamble(proxy_header(connection->remote(), connection->local()));
  const relay::KernelEnd* const end = service.get();
  ++door.connections;
  relays_.add(std::make_unique<relay::EngineEnd>(live_, id), std::move(service),
              [this, at = &door, end](relay::Relay::End) {
                if (!end->is_connected() && end->has_failed()) complain(*at, end->error());
                --at->connections;
                admit(*at);
              });
}

void ListenRelays::complain(Door& door, int error) {
  ++door.failures;
  if (door.said_at != Time{} && live_.now() - door.said_at < kComplainInterval) return;
  spdlog::warn("listen {}: the service cannot be reached: {}; {} client{} reset", door.spec.to_string(),
               std::strerror(error), door.failures, door.failures == 1 ? "" : "s");
  door.failures = 0;
  door.said_at = live_.now();
}

}  // namespace braid::service
