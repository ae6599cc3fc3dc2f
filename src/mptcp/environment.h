// What a connection needs of the host it lives in. Implemented by host::Host; tests have simple ones.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/chunk.h"
#include "base/random.h"
#include "base/sequence.h"
#include "base/time.h"
#include "mptcp/counters.h"
#include "mptcp/decision.h"
#include "mptcp/fast_open_memory.h"
#include "mptcp/keys.h"
#include "mptcp/path_manager/path_manager.h"
#include "mptcp/peer_memory.h"
#include "tcp/subflow.h"
#include "wire/address.h"

namespace braid::mptcp {

class Connection;

/// What the application side may want to look at; a set of these is raised, and each is raised again only
/// after the condition went away and came back.
enum class ConnectionEvent : uint8_t {
  kEstablished,  // connect() succeeded
  kAcceptable,   // a passive connection is established: the listener may hand it out
  kReadable,     // bytes, or the end of the stream, or an error
  kWritable,     // room in the send buffer again
  kPeerClosed,   // DATA_FIN (or FIN): end of stream after what is readable
  kClosed,       // everything is over, orderly; the host may free it once the application has closed it
  kFailed,       // reset, refused, timed out: Connection::error() says which
};

class Environment {
 public:
  virtual ~Environment() = default;

  virtual RandomSource& random() = 0;
  virtual ChunkPool& chunks() = 0;
  virtual Counters& counters() = 0;
  virtual const PathConfig& path_config() const = 0;

  /// A key whose token no other connection of this host has; registered for `connection` until release_token.
  virtual KeyMaterial register_key(Connection& connection, Version version) = 0;
  virtual void release_token(Token token) = 0;

  /// Demultiplexing: segments for the tuple go to the subflow. False: the tuple is taken.
  virtual bool bind_subflow(Connection& connection, tcp::Subflow& subflow) = 0;
  virtual void unbind_subflow(tcp::Subflow& subflow) = 0;
  /// A subflow is about to be destroyed in TIME-WAIT: the host answers for it until then.
  virtual void keep_time_wait(const tcp::TimeWaitRecord& record) = 0;

  virtual Seq32 initial_sequence(const wire::FourTuple& tuple, Time now) = 0;  // RFC 6528
  virtual uint32_t timestamp_offset(const wire::FourTuple& tuple) = 0;
  /// A local port free for that pair of address and remote endpoint; 0: none left.
  virtual uint16_t allocate_port(const wire::IpAddress& local, const wire::Endpoint& remote) = 0;
  /// MTU of the interface that has this local address; 0: the host has no such address (any more).
  virtual uint32_t mtu_of(const wire::IpAddress& local) const = 0;
  /// The name of the interface that has this local address; empty if there is none.
  virtual std::string_view interface_of(const wire::IpAddress& /*local*/) const { return {}; }
  /// Whether a packet from `local` could reach `remote` (family, route, interface up).
  virtual bool has_route(const wire::IpAddress& local, const wire::IpAddress& remote) const = 0;

  /// The local address that the routes would choose for packets to `remote`; unspecified if there is none.
  virtual wire::IpAddress source_for(const wire::IpAddress& remote) const = 0;

  /// The connection has something to send or a deadline changed: the host polls it before it returns.
  virtual void wake(Connection& connection) = 0;
  /// May come from inside any call of the connection: note it, and act on it after that call has returned.
  virtual void on_event(Connection& connection, ConnectionEvent event) = 0;
  /// What earlier connections learnt of destinations; null: nothing is kept.
  virtual PeerMemory* peer_memory() { return nullptr; }
  /// The cookies that servers gave us; null: there is no Fast Open for clients.
  virtual FastOpenMemory* fast_open_memory() { return nullptr; }
  /// Who wants to know what connections decide; null: nobody.
  virtual DecisionLog* decision_log() { return nullptr; }
};

}  // namespace braid::mptcp
