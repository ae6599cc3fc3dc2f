// A program decides: nothing happens by itself. Its commands are the connection's (open_path,
// announce_address
// ...), which work beside every other path manager too; see docs/path-managers.md.
#pragma once

#include "mptcp/path_manager/path_manager.h"

namespace braid::mptcp {

/// What the peer opens is let in, as far as the limits go: the connection sees to them.
class ApplicationPaths final : public PathManager {
 public:
  std::string_view name() const override { return "application"; }
  void on_established(const PathSubflow&, bool, bool, Time) override {}
  void on_subflow_up(const PathSubflow&, Time) override {}
  void on_subflow_closed(const PathSubflow&, SubflowEnd, Time) override {}
  void on_subflow_failed(const PathSubflow&, SubflowEnd, Time) override {}
  void on_add_addr(uint8_t, const wire::IpAddress&, uint16_t, Time) override {}
  void on_remove_addr(uint8_t, Time) override {}
  void on_endpoint_added(const PathEndpoint&, Time) override {}
  void on_endpoint_removed(const PathEndpoint&, Time) override {}
  void on_endpoint_changed(const PathEndpoint&, Time) override {}
  void on_timer(Time) override {}
  bool may_accept_join() override { return true; }
};

}  // namespace braid::mptcp
