// A port that Braid listens on for a service that does not know it: connections, Multipath TCP or plain, are
// carried to the service over the kernel's TCP.
#pragma once

#include <memory>
#include <vector>

#include "io/live_host.h"
#include "io/setup_error.h"
#include "relay/relay_set.h"
#include "service/listen_spec.h"
#include "service/port_table.h"

namespace braid::service {

class ListenRelays {
 public:
  /// Both outlive it.
  ListenRelays(io::LiveHost& live, PortTable& ports);
  ~ListenRelays();
  ListenRelays(const ListenRelays&) = delete;
  ListenRelays& operator=(const ListenRelays&) = delete;

  /// From now on, while this object lives. The service need not be there yet.
  io::Setup<void> open(const ListenSpec& spec);
  size_t connection_count() const { return relays_.size(); }

 private:
  struct Door {
    ListenSpec spec;
    std::shared_ptr<Binding> binding;
    std::vector<host::ListenerId> listeners;
    uint32_t connections = 0;
    uint64_t failures = 0;  // of the service, since it was last said
    Time said_at{};
  };
  void admit(Door& door);
  void begin(Door& door, host::ConnectionId connection);
  void complain(Door& door, int error);

  io::LiveHost& live_;
  PortTable& ports_;
  std::vector<std::unique_ptr<Door>> doors_;
  relay::RelaySet relays_;
};

}  // namespace braid::service
