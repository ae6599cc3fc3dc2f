#include "mptcp/path_manager/fullmesh.h"

#include <algorithm>

namespace braid::mptcp {

PathEndpoint FullMesh::meshed(PathEndpoint endpoint) const {
  endpoint.is_signal = endpoint.is_signal || is_server_;
  endpoint.is_subflow = endpoint.is_fullmesh = !is_server_;
  return endpoint;
}

/// Before each event: endpoints and limits may have changed since the last.
void FullMesh::update() {
  if (!is_established_) return;
  meshed_.limits = config_.limits;
  meshed_.endpoints.clear();
  for (const PathEndpoint& endpoint : config_.endpoints) meshed_.endpoints.push_back(meshed(endpoint));
  const bool is_known =
      std::ranges::any_of(config_.endpoints, [&](const PathEndpoint& e) { return e.address == initial_; });
  // The first subflow's address belongs to the mesh, endpoint or not; its ID is 0.
  if (!is_server_ && !is_known) {
    PathEndpoint first;
    first.address = initial_;
    first.is_subflow = first.is_fullmesh = true;
    meshed_.endpoints.push_back(first);
  }
}

void FullMesh::on_established(const PathSubflow& initial, bool is_server, bool may_join_initial_address,
                              Time now) {
  initial_ = initial.tuple.local.address;
  is_server_ = is_server;
  is_established_ = true;
  update();
  paths_.on_established(initial, is_server, may_join_initial_address, now);
}

void FullMesh::on_subflow_up(const PathSubflow& subflow, Time now) {
  update();
  paths_.on_subflow_up(subflow, now);
}
void FullMesh::on_subflow_closed(const PathSubflow& subflow, SubflowEnd end, Time now) {
  update();
  paths_.on_subflow_closed(subflow, end, now);
}
void FullMesh::on_subflow_failed(const PathSubflow& subflow, SubflowEnd end, Time now) {
  update();
  paths_.on_subflow_failed(subflow, end, now);
}
void FullMesh::on_add_addr(uint8_t id, const wire::IpAddress& address, uint16_t port, Time now) {
  if (is_server_) return;
  update();
  paths_.on_add_addr(id, address, port, now);
}
void FullMesh::on_remove_addr(uint8_t id, Time now) {
  update();
  paths_.on_remove_addr(id, now);
}
void FullMesh::on_endpoint_added(const PathEndpoint& endpoint, Time now) {
  update();
  paths_.on_endpoint_added(meshed(endpoint), now);
}
void FullMesh::on_endpoint_removed(const PathEndpoint& endpoint, Time now) {
  update();
  paths_.on_endpoint_removed(meshed(endpoint), now);
}
void FullMesh::on_endpoint_changed(const PathEndpoint& endpoint, Time now) {
  update();
  paths_.on_endpoint_changed(meshed(endpoint), now);
}
void FullMesh::on_paths_due(Time now) {
  update();
  paths_.on_paths_due(now);
}
void FullMesh::on_timer(Time now) {
  update();
  paths_.on_timer(now);
}
bool FullMesh::may_accept_join() {
  update();
  return paths_.may_accept_join();
}

}  // namespace braid::mptcp
