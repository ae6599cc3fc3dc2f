// ECF, earliest completion first (Lim, Nahum, Towsley, Gibbens: "ECF: An MPTCP Path Scheduler to Manage
// Heterogeneous Paths", CoNEXT 2017). When the fast subflow is full, a slow one gets data only if all that
// waits would not be through sooner by waiting for the fast one.
#pragma once

#include "mptcp/scheduler/scheduler.h"

namespace braid::mptcp {

class Ecf final : public Scheduler {
 public:
  std::string_view name() const override { return "ecf"; }
  void rank(std::span<const SubflowView> subflows, std::span<uint8_t> order) override;
  uint64_t grant(const ScheduleInput& input) override;

 private:
  bool is_waiting_ = false;  // the paper's `waiting`: whoever waits goes on doing so a little longer (beta)
};

}  // namespace braid::mptcp
