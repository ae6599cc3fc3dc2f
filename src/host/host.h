// A host: interfaces, addresses and routes below; listeners and connections above; in between,
// demultiplexing, the token table and the timers. No I/O, one thread; see docs/architecture.md.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "base/chunk.h"
#include "base/random.h"
#include "base/time.h"
#include "mptcp/connection.h"
#include "mptcp/counters.h"
#include "wire/packet.h"

namespace braid::host {

using InterfaceId = uint32_t;
/// Handles: an index and a generation, so that a stale one is refused and never reaches another connection.
/// 0: none.
enum class ConnectionId : uint64_t { kNone = 0 };
enum class ListenerId : uint64_t { kNone = 0 };

/// Errors of the calls below, each with the errno the kernel's own call would give: to_errno().
enum class Error : uint8_t {
  kNone,
  kInvalidHandle,        // EBADF
  kInvalidArgument,      // EINVAL
  kAddressInUse,         // EADDRINUSE
  kAddressNotAvailable,  // EADDRNOTAVAIL
  kNetworkUnreachable,   // ENETUNREACH: no interface has a route
  kHostUnreachable,      // EHOSTUNREACH
  kRefused,              // ECONNREFUSED
  kReset,                // ECONNRESET
  kTimedOut,             // ETIMEDOUT
  kAborted,              // ECONNABORTED
  kNotConnected,         // ENOTCONN
  kWouldBlock,           // EAGAIN
  kBrokenPipe,           // EPIPE: sending was shut down
  kNoResources,          // ENOBUFS
};
int to_errno(Error error);
std::string_view to_string(Error error);
Error to_error(mptcp::ConnectionError error);

struct AddressConfig {
  wire::IpAddress address;
  int prefix_bits = 32;
};
struct Route {
  wire::IpAddress network;  // any(family)/0: default
  int prefix_bits = 0;
  uint32_t metric = 0;
  auto operator<=>(const Route&) const = default;
};
struct InterfaceConfig {
  std::string name;
  uint32_t mtu = 1500;
  wire::OffloadSupport offload = wire::OffloadSupport::kNone;
  std::vector<AddressConfig> addresses;
  std::vector<Route> routes;  // besides the addresses' own networks
};

struct HostConfig {
  mptcp::ConnectionConfig connection;  // defaults for new connections
  mptcp::PathConfig paths;
  uint16_t first_ephemeral_port = 32768, last_ephemeral_port = 60999;
  size_t max_connections = 1u << 20;
  size_t max_time_wait = 65536;
  bool syn_cookies = true;  // RFC 4987: a backlog full of handshakes does not shut a listener
};

struct ListenOptions {
  uint32_t backlog = 128;
  bool is_v6_only = true;   // IPv6 listeners take IPv4 only through a second listener
  bool reuse_port = false;  // several listeners on one endpoint share its connections
  std::optional<mptcp::ConnectionConfig> connection{};
};
struct ConnectOptions {
  std::optional<wire::Endpoint> local{};  // bound; port 0: any
  std::optional<mptcp::ConnectionConfig> connection{};
};

struct Event {
  enum class Kind : uint8_t { kConnection, kAcceptable };
  Kind kind = Kind::kConnection;
  ConnectionId connection = ConnectionId::kNone;
  ListenerId listener = ListenerId::kNone;
  mptcp::ConnectionEvent what = mptcp::ConnectionEvent::kReadable;
};

/// What a Host sends goes here; `interface` is the one whose address is the packet's source.
class HostSink {
 public:
  virtual ~HostSink() = default;
  virtual void send(InterfaceId interface, wire::OutgoingPacket& packet) = 0;
};

/// How to use it: after any handle_ or command, transmit() until it returns, then poll_event() until empty,
/// then sleep until next_deadline() or input. A Host belongs to one thread.
class Host {
 public:
  /// `random` outlives the host.
  Host(const HostConfig& config, RandomSource& random, Time now);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  // ---- commands: the network below
  InterfaceId add_interface(const InterfaceConfig& config);
  void set_interface_up(InterfaceId interface, bool is_up, Time now);
  void add_address(InterfaceId interface, const AddressConfig& address, Time now);
  void remove_address(InterfaceId interface, const wire::IpAddress& address, Time now);
  /// All of its routes besides the addresses' own networks. When there are new ones, paths that had none are
  /// tried again.
  void set_routes(InterfaceId interface, std::vector<Route> routes, Time now);
  /// For subflows that open from now on; those that are open find it out from ICMP.
  void set_mtu(InterfaceId interface, uint32_t mtu);

  // ---- commands: paths (`ip mptcp endpoint`, `ip mptcp limits`)
  tl::expected<uint8_t, Error> add_endpoint(mptcp::PathEndpoint endpoint,
                                            Time now);  ///< id 0: the next free one
  Error remove_endpoint(uint8_t id, Time now);
  Error change_endpoint(uint8_t id, bool is_backup, bool is_fullmesh, Time now);
  void set_limits(const mptcp::PathLimits& limits);

  // ---- commands: policy
  /// Of connections and listeners that are opened from now on without settings of their own. Empty: stays.
  /// Names that there are.
  void set_policy(std::string_view scheduler, std::string_view congestion_control);
  /// Is told what connections decide and why. Outlives the host, or is taken away (null) before it goes.
  void set_decision_log(mptcp::DecisionLog* log);
  const mptcp::PathConfig& path_config() const;

  // ---- commands: applications
  tl::expected<ListenerId, Error> listen(const wire::Endpoint& local, const ListenOptions& options);
  void set_backlog(ListenerId listener, uint32_t backlog);
  /// The local endpoint of a listener (its port, when 0 was asked for).
  std::optional<wire::Endpoint> local_of(ListenerId listener) const;
  Error close(ListenerId listener, Time now);
  /// The next established connection; kNone if there is none.
  ConnectionId accept(ListenerId listener);
  tl::expected<ConnectionId, Error> connect(const wire::Endpoint& remote, const ConnectOptions& options,
                                            Time now);
  /// Access to the connection's own commands and getters; nullptr for a stale handle. After a command call
  /// nothing else is needed: the connection wakes the host. The pointer is good until the next call of a Host
  /// method.
  mptcp::Connection* find(ConnectionId id);
  /// By our token, whoever's it is: for commands about its paths. nullptr: no MPTCP connection has it.
  mptcp::Connection* find_by_token(mptcp::Token token);
  /// Orderly close; the handle is stale afterwards, the connection finishes by itself.
  Error close(ConnectionId id, Time now);
  Error abort(ConnectionId id, Time now);

  // ---- handle_*
  void receive(InterfaceId interface, const wire::ReceivedPacket& packet, Time now);
  /// Fires due timers.
  void advance(Time now);

  // ---- poll_*
  /// Sends all that is due.
  void transmit(HostSink& sink, Time now);
  std::optional<Event> poll_event();
  Time next_deadline() const;

  // ---- getters
  ChunkPool& chunks();
  const mptcp::Counters& counters() const;  ///< with the open connections' own totals
  struct ConnectionEntry {
    ConnectionId id;
    mptcp::ConnectionInfo info;
  };
  std::vector<ConnectionEntry> connections() const;
  struct ListenerEntry {
    ListenerId id;
    wire::Endpoint local;
    uint32_t backlog = 0, waiting = 0;
  };
  std::vector<ListenerEntry> listeners() const;
  size_t connection_count() const;
  const HostConfig& config() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace braid::host
