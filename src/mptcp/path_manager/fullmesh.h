// Every local address to every address of the peer (the out-of-tree kernel's path manager of this name): the
// rules of `endpoints`, with the flags that make a mesh on every endpoint.
#pragma once

#include "mptcp/path_manager/endpoints.h"

namespace braid::mptcp {

/// Who opened the connection opens the mesh: from each endpoint, and from the first subflow's address, to the
/// peer's first address and to each that it announces, as far as the limits go. The other side announces its
/// endpoints, and opens nothing: both would meet in the middle with two subflows a pair. Of an endpoint's
/// flags only backup means something here, and signal with who opens.
class FullMesh final : public PathManager {
 public:
  /// Both outlive it.
  FullMesh(const PathConfig& config, PathActions& actions) : config_(config), paths_(meshed_, actions) {}

  std::string_view name() const override { return "fullmesh"; }
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
  void on_paths_due(Time now) override;
  void on_timer(Time now) override;
  bool may_accept_join() override;

 private:
  void update();
  PathEndpoint meshed(PathEndpoint endpoint) const;

  const PathConfig& config_;
  PathConfig meshed_;  // config_ as paths_ is to see it
  EndpointPaths paths_;
  wire::IpAddress initial_;
  bool is_established_ = false;
  bool is_server_ = false;
};

}  // namespace braid::mptcp
