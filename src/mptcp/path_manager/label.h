// One path a label: subflows of the same two addresses whose packets differ by DSCP, which a network that
// routes by it takes over different paths (Linux guidelines, A.2 and table 4, where the action of a path is
// "write x in DSCP"). The subflows have ports of their own besides: middleboxes want to tell them apart
// (A.1).
#pragma once

#include <optional>
#include <vector>

#include "mptcp/path_manager/path_manager.h"

namespace braid::mptcp {

/// Who opened the connection opens a subflow for each label but that of the first subflow, as far as
/// limits.subflows goes, and replaces those that end, each with its back-off. Addresses are not announced,
/// and announcements not acted on.
class LabelledPaths final : public PathManager {
 public:
  static constexpr Duration kFirstBackoff = 1s;
  static constexpr Duration kLongestBackoff = 60s;
  static constexpr size_t kMaxLabels = 64;  // there are no more DSCP values

  /// `config` and `actions` outlive it. `labels`: DSCP values, 0..63; repeated and greater ones are ignored.
  LabelledPaths(const PathConfig& config, PathActions& actions, std::span<const uint8_t> labels);

  std::string_view name() const override { return "label"; }
  void on_established(const PathSubflow& initial, bool is_server, bool may_join_initial_address,
                      Time now) override;
  void on_subflow_up(const PathSubflow& subflow, Time now) override;
  void on_subflow_closed(const PathSubflow& subflow, SubflowEnd end, Time now) override;
  void on_subflow_failed(const PathSubflow& subflow, SubflowEnd end, Time now) override;
  void on_add_addr(uint8_t, const wire::IpAddress&, uint16_t, Time) override {}
  void on_remove_addr(uint8_t id, Time now) override;
  void on_endpoint_added(const PathEndpoint& endpoint, Time now) override;
  void on_endpoint_removed(const PathEndpoint&, Time) override {}
  void on_endpoint_changed(const PathEndpoint&, Time) override {}
  void on_paths_due(Time now) override { open_missing(now); }
  void on_timer(Time now) override;
  bool may_accept_join() override;

 private:
  /// A row of the guidelines' table: path index (the position), and the action.
  struct Path {
    uint8_t label = 0;
    enum class State : uint8_t { kIdle, kOpening, kUp, kWaiting, kUnwanted } state = State::kIdle;
    size_t up = 0;  // subflows with the label: a program, or the peer, may open more
    Duration backoff{0};
    Time retry_at{};
  };
  Path* find(const PathSubflow& subflow);
  void open_missing(Time now);
  void wait(Path& path, Time now);
  size_t in_use() const;

  const PathConfig& config_;
  PathActions& actions_;
  std::vector<Path> paths_;
  wire::FourTuple initial_;
  size_t unlabelled_ = 0;  // subflows that are up and of no path here: a program's, or the peer's
  bool is_established_ = false;
  bool opens_ = false;
};

}  // namespace braid::mptcp
