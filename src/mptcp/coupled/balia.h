// BALIA, the balanced linked adaptation (Peng, Walid, Hwang, Low: "Multipath TCP: analysis, design, and
// implementation", 2014; draft-walid-mptcp-congestion-control): between LIA and OLIA, as friendly as a TCP at
// a shared bottleneck, quick to use what gets free.
#pragma once

#include "mptcp/coupled/member.h"

namespace braid::mptcp {

class Balia final : public CoupledMember {
 public:
  using CoupledMember::CoupledMember;
  std::string_view name() const override { return "balia"; }

 protected:
  double increase_bytes(const tcp::AckSample& sample, uint64_t acked_bytes) override;
  uint64_t reduced_window_bytes(const tcp::LossSample& sample) const override;

 private:
  /// The rate of the fastest path by this one's; 1 and more.
  double alpha() const;
};

}  // namespace braid::mptcp
