// Path managers: which subflows a connection should have. They react to events and ask the transport for
// actions (Linux guidelines, 3.1, table 2); they never touch a subflow themselves.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "wire/address.h"

namespace braid::mptcp {

/// An address of this host that paths may use: `ip mptcp endpoint`.
struct PathEndpoint {
  uint8_t id = 0;  // address ID, 1..255; unique in the host
  wire::IpAddress address;
  uint16_t port = 0;         // signal only: announce with this port, 0: none
  std::string interface;     // for display; routes decide
  bool is_signal = false;    // announce it (ADD_ADDR)
  bool is_subflow = false;   // open a subflow from it, to the peer's initial address
  bool is_backup = false;    // such subflows are backup
  bool is_fullmesh = false;  // from it to every address of the peer
};

/// `ip mptcp limits`.
struct PathLimits {
  uint8_t subflows = 2;           // additional ones per connection, joins from both sides together
  uint8_t add_addr_accepted = 0;  // announced addresses to act on, per connection
};

/// Why a subflow ended, as a path manager sees it.
enum class SubflowEnd : uint8_t {
  kFinished,
  kReset,
  kTimedOut,
  kRefusedJoin,
  kLocalAddressGone,
  kRemoved,          // the path manager closed it
  kClosedByProgram,  // a program's command did: it is not to be replaced
};
std::string_view to_string(SubflowEnd end);

/// Why a path manager opens no further path, though it is time for some.
enum class Withheld : uint8_t {
  kNothing,           // nothing is in the way
  kSubflowLimit,      // PathLimits::subflows
  kAddressLimit,      // PathLimits::add_addr_accepted
  kNowhereToGo,       // no other address here that opens paths, and none that the peer announced
  kNothingAnnounced,  // the peer's first address takes no joins, and it announced no other
};
std::string_view to_string(Withheld why);

/// A subflow to open.
struct SubflowRequest {
  wire::Endpoint local;  // an address of this host; unspecified: whichever the route picks. Port 0: any
  uint8_t local_id = 0;
  wire::Endpoint remote;
  uint8_t remote_id = 0;
  bool is_backup = false;
  std::optional<uint8_t> label{};  // DSCP of its packets, 0..63; nothing: the connection's own
};

/// What a path manager may ask for. Implemented by the connection.
class PathActions {
 public:
  virtual ~PathActions() = default;
  /// False: no room, or a pair in use.
  virtual bool open_subflow(const SubflowRequest& request) = 0;
  virtual void close_subflow(uint8_t index) = 0;
  virtual void set_backup(uint8_t index, bool is_backup) = 0;
  /// Announces (ADD_ADDR, repeated until echoed) or withdraws an address. False: the host does not have it
  /// now (when it comes, the path manager hears of an endpoint added), or too many wait for their echo.
  virtual bool announce(uint8_t id, const wire::IpAddress& address, uint16_t port) = 0;
  virtual void withdraw(uint8_t id) = 0;
  /// Whether it is time to open further paths; when it becomes so, on_paths_due comes.
  virtual bool are_paths_due() const { return true; }
  /// For people who ask why there are no more paths: said when the answer changes.
  virtual void on_withheld(Withheld) {}
  /// Calls on_timer at that time.
  virtual void set_timer(Time at) = 0;
};

/// A subflow as a path manager sees it.
struct PathSubflow {
  uint8_t index = 0;
  wire::FourTuple tuple;
  uint8_t local_id = 0, remote_id = 0;
  bool is_backup = false;
  bool was_opened_by_us = false;
  std::optional<uint8_t> label{};  // DSCP, if the path is told apart by it
};

class PathManager {
 public:
  virtual ~PathManager() = default;
  virtual std::string_view name() const = 0;

  /// The connection is fully established: joins are allowed from now on. is_server: the peer opened it.
  virtual void on_established(const PathSubflow& initial, bool is_server, bool may_join_initial_address,
                              Time now) = 0;
  virtual void on_subflow_up(const PathSubflow& subflow, Time now) = 0;
  virtual void on_subflow_closed(const PathSubflow& subflow, SubflowEnd end, Time now) = 0;
  virtual void on_subflow_failed(const PathSubflow& subflow, SubflowEnd end,
                                 Time now) = 0;  ///< a join that did not come up
  virtual void on_add_addr(uint8_t id, const wire::IpAddress& address, uint16_t port,
                           Time now) = 0;  ///< verified
  virtual void on_remove_addr(uint8_t id, Time now) = 0;
  /// The host's endpoints changed.
  virtual void on_endpoint_added(const PathEndpoint& endpoint, Time now) = 0;
  virtual void on_endpoint_removed(const PathEndpoint& endpoint, Time now) = 0;
  virtual void on_endpoint_changed(const PathEndpoint& endpoint, Time now) = 0;
  /// The connection has shown that it is worth further paths (PathActions::are_paths_due).
  virtual void on_paths_due(Time) {}
  virtual void on_timer(Time now) = 0;
  /// May one more subflow that the peer opens come in?
  virtual bool may_accept_join() = 0;
};

/// The host's endpoint table and limits, shared by its connections.
struct PathConfig {
  std::vector<PathEndpoint> endpoints;
  PathLimits limits;
};

/// By name: "endpoints" (the model of `ip mptcp`), "fullmesh" (every address to every address), "ndiffports"
/// (ports of one address), "label" (one path a DSCP value of `labels`), "application" (a program decides),
/// "none". `config` and `actions` outlive it.
std::unique_ptr<PathManager> make_path_manager(std::string_view name, const PathConfig& config,
                                               PathActions& actions, std::span<const uint8_t> labels = {});
std::vector<std::string> path_manager_names();

}  // namespace braid::mptcp
