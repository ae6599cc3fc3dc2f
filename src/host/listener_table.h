// Who listens where.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "base/ring.h"
#include "host/host.h"
#include "host/slot_table.h"

namespace braid::host {

struct Listener {
  ListenerId id = ListenerId::kNone;
  wire::Endpoint local;
  ListenOptions options;
  uint32_t handshaking = 0;    // connections in SYN-RECEIVED
  Ring<ConnectionId> waiting;  // established, not accepted yet
  bool is_event_queued = false;
  uint32_t fast_open_pending = 0;  // in SYN-RECEIVED, their SYN's data delivered
  Ring<Time> fast_open_resets;     // those that ended by RST are counted until then (RFC 7413, 5.1)

  bool has_fast_open_room(uint32_t most, Time now);
  /// As with the kernel's listen(): a backlog of n lets n + 1 wait.
  bool is_full() const { return handshaking + waiting.size() > options.backlog; }
};

class ListenerTable {
 public:
  /// Null if the endpoint is taken.
  Listener* insert(const wire::Endpoint& local, const ListenOptions& options);
  std::unique_ptr<Listener> remove(ListenerId id);

  Listener* find(ListenerId id) const { return listeners_.find(id); }
  /// Who takes a SYN to `local`: a listener on its port before one on any; an exact match before a wildcard;
  /// among several (SO_REUSEPORT), the one that `choice`, a hash of the SYN's tuple, falls on.
  Listener* match(const wire::Endpoint& local, uint64_t choice) const;
  /// Whether binding `local` would clash with a listener: same port, and same address or a wildcard on either
  /// side, unless all of them share it.
  bool is_taken(const wire::Endpoint& local, const ListenOptions& options) const;
  template <class Visit>
  void for_each(Visit&& visit) const {
    listeners_.for_each(visit);
  }

 private:
  static constexpr uint16_t kAnyPort = 0;  // ListenOptions::takes_any_port
  Listener* match_at(uint16_t port, const wire::Endpoint& local, uint64_t choice) const;

  SlotTable<Listener, ListenerId> listeners_;
  std::map<uint16_t, std::vector<Listener*>> by_port_;
};

}  // namespace braid::host
