// One super-segment for each subflow in turn. Where paths differ, the slowest sets the pace of the receive
// buffer; of use to compare others with, and over paths that are alike.
#pragma once

#include "mptcp/scheduler/scheduler.h"

namespace braid::mptcp {

class RoundRobin final : public Scheduler {
 public:
  std::string_view name() const override { return "round-robin"; }
  void rank(std::span<const SubflowView> subflows, std::span<uint8_t> order) override;
  uint64_t grant(const ScheduleInput& input) override;

 private:
  uint8_t last_ = UINT8_MAX;  // SubflowView::index of the one that was served last
};

}  // namespace braid::mptcp
