// BLEST, blocking estimation (Ferlin, Alay, Mehani, Boreli: "BLEST: Blocking Estimation-based MPTCP Scheduler
// for Heterogeneous Networks", IFIP Networking 2016). A slow subflow gets data only if the window then still
// holds what the fast one will send until they arrive: otherwise they would block it.
#pragma once

#include "mptcp/scheduler/scheduler.h"

namespace braid::mptcp {

class Blest final : public Scheduler {
 public:
  std::string_view name() const override { return "blest"; }
  void rank(std::span<const SubflowView> subflows, std::span<uint8_t> order) override;
  uint64_t grant(const ScheduleInput& input) override;

  /// By how much the estimate of the fast subflow is scaled: it grows while the window stops us all the same.
  double lambda() const { return lambda_; }

 private:
  void adapt(const ScheduleInput& input);

  double lambda_ = 1.2;
  uint64_t stops_seen_ = 0;
  Time adapted_at_{};
};

}  // namespace braid::mptcp
