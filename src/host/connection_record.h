// A connection as the host keeps it: who it belongs to, and what its application has not been told yet.
#pragma once

#include <cstdint>
#include <memory>

#include "host/host.h"
#include "mptcp/connection.h"

namespace braid::host {

struct ConnectionRecord {
  enum class Owner : uint8_t {
    kListener,     // passive, handshake under way
    kAcceptQueue,  // established, waiting for accept()
    kApplication,  // its handle is out
    kNobody,       // the application closed it: it finishes by itself
  };

  ConnectionId id = ConnectionId::kNone;
  ListenerId listener = ListenerId::kNone;            // for kListener and kAcceptQueue
  ListenerId fast_open_listener = ListenerId::kNone;  // whose pending ones it is counted with
  Owner owner = Owner::kApplication;
  bool is_event_queued = false;
  uint8_t pending_events = 0;  // one bit per mptcp::ConnectionEvent: bounded, whatever happens
  uint32_t bound_subflows = 0;
  std::unique_ptr<mptcp::Connection> connection;

  /// Nobody will ask for it again: it may go once it is finished.
  bool is_disposable() const { return owner == Owner::kListener || owner == Owner::kNobody; }
};

}  // namespace braid::host
