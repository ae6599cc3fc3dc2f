// Several paths between the same two addresses, told apart by their ports: where routers spread flows over
// equal paths (ECMP), each subflow hashes onto one of them (Raiciu et al., SIGCOMM 2011; the out-of-tree
// kernel's path manager of this name).
#pragma once

#include <vector>

#include "mptcp/path_manager/path_manager.h"

namespace braid::mptcp {

/// Who opened the connection opens as many subflows beside the first as `limits.subflows` says, and replaces
/// those that end, with back-off. Addresses are not announced, and announcements not acted on.
class DifferentPorts final : public PathManager {
 public:
  static constexpr Duration kFirstBackoff = 1s;
  static constexpr Duration kLongestBackoff = 60s;

  /// Both outlive it.
  DifferentPorts(const PathConfig& config, PathActions& actions) : config_(config), actions_(actions) {}

  std::string_view name() const override { return "ndiffports"; }
  void on_established(const PathSubflow& initial, bool is_server, bool may_join_initial_address,
                      Time now) override;
  void on_subflow_up(const PathSubflow& subflow, Time now) override;
  void on_subflow_closed(const PathSubflow& subflow, SubflowEnd end, Time now) override;
  void on_subflow_failed(const PathSubflow& subflow, SubflowEnd end, Time now) override;
  void on_add_addr(uint8_t, const wire::IpAddress&, uint16_t, Time) override {}
  void on_remove_addr(uint8_t id, Time now) override;
  void on_endpoint_added(const PathEndpoint&, Time) override {}
  void on_endpoint_removed(const PathEndpoint&, Time) override {}
  void on_endpoint_changed(const PathEndpoint&, Time) override {}
  void on_paths_due(Time now) override { open_missing(now); }
  void on_timer(Time now) override { open_missing(now); }
  bool may_accept_join() override;

 private:
  void open_missing(Time now);
  void wait(Time now);
  bool is_one_missing() const { return has_room(unwanted_); }
  bool has_room(size_t less = 0) const {
    return less + up_.size() + opening_ < size_t{1} + config_.limits.subflows;
  }

  const PathConfig& config_;
  PathActions& actions_;
  std::vector<uint8_t> up_;  // by index
  size_t opening_ = 0;       // joins of ours under way
  size_t unwanted_ = 0;      // that a program closed
  wire::FourTuple initial_;
  Duration backoff_ = kFirstBackoff;
  bool is_established_ = false;
  bool opens_ = false;
};

}  // namespace braid::mptcp
