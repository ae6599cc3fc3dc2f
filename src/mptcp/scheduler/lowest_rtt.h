// The default: the subflow with the lowest smoothed RTT first, as in the kernel's default scheduler before
// 5.10 and in the Linux guidelines (time-distance order).
#pragma once

#include "mptcp/scheduler/scheduler.h"

namespace braid::mptcp {

class LowestRtt final : public Scheduler {
 public:
  std::string_view name() const override { return "lowest-rtt"; }
  void rank(std::span<const SubflowView> subflows, std::span<uint8_t> order) override;
  uint64_t grant(const ScheduleInput& input) override;
};

}  // namespace braid::mptcp
