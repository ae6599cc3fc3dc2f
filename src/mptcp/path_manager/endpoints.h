// The model of `ip mptcp endpoint` and `ip mptcp limits`, as the kernel's in-kernel path manager has it, with
// what it lacks: paths that died are built again, by themselves, with back-off.
#pragma once

#include <bitset>
#include <vector>

#include "mptcp/path_manager/path_manager.h"
#include "mptcp/path_manager/path_table.h"

namespace braid::mptcp {

/// - subflow endpoints open a path to the peer's initial address, if the peer did not forbid that;
/// - signal endpoints are announced;
/// - an announced address is used, as the limits permit, from every fullmesh endpoint; with none of these
///   from every subflow endpoint if the initial address is forbidden, else from where the route leads;
/// - other announced addresses are remembered, and take the place of those that turn out unreachable.
/// The subflow limit counts subflows beside one, whichever side opened them.
class EndpointPaths final : public PathManager {
 public:
  static constexpr size_t kMaxRemotes = 64;

  /// `config` is up to date whenever an on_endpoint_ event comes.
  EndpointPaths(const PathConfig& config, PathActions& actions) : config_(config), actions_(actions) {}

  std::string_view name() const override { return "endpoints"; }
  void on_established(const PathSubflow& initial, bool is_server, bool may_join_initial_address,
                      Time now) override;
  void on_subflow_up(const PathSubflow& subflow, Time now) override;
  void on_subflow_closed(const PathSubflow& subflow, SubflowEnd end, Time now) override;
  void on_subflow_failed(const PathSubflow& subflow, SubflowEnd end, Time now) override;
  void on_add_addr(uint8_t id, const wire::IpAddress& address, uint16_t port, Time now) override;
  void on_remove_addr(uint8_t id, Time now) override;
  void on_endpoint_added(const PathEndpoint& endpoint, Time now) override;
  void on_endpoint_removed(const PathEndpoint& endpoint, Time now) override;
  void on_endpoint_changed(const PathEndpoint& endpoint, Time now) override;
  void on_paths_due(Time now) override { reconcile(now); }
  void on_timer(Time now) override;
  bool may_accept_join() override;

 private:
  /// An address that the peer announced.
  struct Remote {
    uint8_t id = 0;
    wire::Endpoint endpoint;
    bool is_accepted = false;  // counts against add_addr_accepted
    bool is_hopeless = false;  // no join to it ever worked
    Time given_up_at{};
  };

  void reconcile(Time now);
  void announce_endpoints();
  void accept_remotes(Time now);
  void want_paths();
  void want_paths_to(const Remote& remote);
  void want_path(const PathEndpoint& endpoint, const wire::Endpoint& remote, uint8_t remote_id);
  void open_due_paths(Time now);
  void arm_timer(Time now);
  Withheld reason_for_no_more() const;
  void on_address_gone(const PathSubflow& subflow);

  bool is_initial_address(const PathEndpoint& endpoint) const;
  uint8_t id_of(const PathEndpoint& endpoint) const;
  static bool is_from(const PathEndpoint& endpoint, const PathSubflow& subflow);
  bool has_room() const;
  template <class Predicate>
  void close_subflows(Predicate&& should_close);
  void sync_backup(const PathEndpoint& endpoint);

  const PathConfig& config_;
  PathActions& actions_;
  PathTable table_;
  std::vector<PathSubflow> subflows_;
  std::vector<Remote> remotes_;
  std::bitset<256> announced_, removed_;  // endpoints, by ID
  wire::FourTuple initial_;
  Time timer_at_ = kNever;
  Withheld said_ = Withheld::kNothing;
  bool is_established_ = false;
  bool may_join_initial_ = false;
  bool is_initial_gone_ = false;  // its address was withdrawn once
  bool is_reconciling_ = false, is_reconcile_due_ = false;
};

}  // namespace braid::mptcp
