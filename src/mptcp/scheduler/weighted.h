// The user decides: weights, priorities and budgets of paths (PathPolicy).
//
// - Priority: a path of a lower one (a higher number) carries what overflows, when all better paths are full;
//   with is_standby only when they are gone (closed, stalled, budget spent).
// - Weight: among paths of one priority data are shared in that proportion. What a full path can't take goes
//   to the others, unless is_share_strict: then they wait for it.
// - Budget: octets that a connection gives a path; after that it carries data only while no other path can.
#pragma once

#include <vector>

#include "mptcp/scheduler/scheduler.h"

namespace braid::mptcp {

class Weighted final : public Scheduler {
 public:
  explicit Weighted(const SchedulerOptions& options) : options_(options) {}

  std::string_view name() const override { return "weighted"; }
  void rank(std::span<const SubflowView> subflows, std::span<uint8_t> order) override;
  uint64_t grant(const ScheduleInput& input) override;

 private:
  /// How much a subflow has had, in octets for each unit of weight: the least is served next.
  struct Share {
    uint8_t index = 0;
    uint64_t seen_bytes = 0;  // SubflowView::sent_bytes at the last look
    double turns = 0;
  };
  void update(std::span<const SubflowView> subflows);
  double turns_of(const SubflowView& subflow) const;
  bool is_ahead_of_its_share(const ScheduleInput& input) const;

  SchedulerOptions options_;
  std::vector<Share> shares_;  // by index, 256 at most
};

}  // namespace braid::mptcp
