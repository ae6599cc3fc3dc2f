// OLIA, opportunistic linked increases (Khalili, Gast, Popovic, Le Boudec: "MPTCP is not Pareto-optimal:
// performance issues and a possible solution", CoNEXT 2012; draft-khalili-mptcp-congestion-control-05): no
// more than one TCP at a shared bottleneck, as LIA; and what congested paths lose goes to the best one at
// once.
#pragma once

#include "mptcp/coupled/member.h"

namespace braid::mptcp {

class Olia final : public CoupledMember {
 public:
  using CoupledMember::CoupledMember;
  std::string_view name() const override { return "olia"; }
  void on_ack(const tcp::AckSample& sample) override;
  void on_congestion(const tcp::LossSample& sample) override;
  void on_timeout(const tcp::LossSample& sample, bool is_first) override;

  /// Whose sum over the paths is 0: what moves from the paths with the largest windows to the best ones.
  double alpha() const;

 protected:
  double increase_bytes(const tcp::AckSample& sample, uint64_t acked_bytes) override;

 private:
  /// How good the path looks: l / rtt^2, which the square of a TCP's rate is proportional to.
  double quality() const;
  void on_loss();

  // The paper's l1 and l2: octets delivered between the last two losses, and since the last.
  uint64_t between_losses_bytes_ = 0, since_loss_bytes_ = 0;
};

}  // namespace braid::mptcp
