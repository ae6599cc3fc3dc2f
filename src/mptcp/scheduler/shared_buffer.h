// The FreeBSD report's allocation from a shared send buffer ("Design Overview of Multipath TCP version 0.3
// for FreeBSD-10", III.E): while the application can write, who asks gets what is there, since more will
// come. When the buffer is full the subflows compete for what nobody has, and each gets its equal part, but a
// segment at least. Knows no delay: for paths that are alike.
//
// There a subflow is given as much even if its window has no room for it; here it gets what it can send.
#pragma once

#include "mptcp/scheduler/scheduler.h"

namespace braid::mptcp {

class SharedBuffer final : public Scheduler {
 public:
  std::string_view name() const override { return "shared-buffer"; }
  void rank(std::span<const SubflowView> subflows, std::span<uint8_t> order) override;
  uint64_t grant(const ScheduleInput& input) override;
};

}  // namespace braid::mptcp
