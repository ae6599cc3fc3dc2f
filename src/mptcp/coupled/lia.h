// LIA, the linked increases algorithm (RFC 6356): together the subflows take no more than one TCP on the best
// path would, and move away from congested paths.
#pragma once

#include "mptcp/coupled/member.h"

namespace braid::mptcp {

class Lia final : public CoupledMember {
 public:
  using CoupledMember::CoupledMember;
  std::string_view name() const override { return "lia"; }

 protected:
  double increase_bytes(const tcp::AckSample& sample, uint64_t acked_bytes) override;
};

}  // namespace braid::mptcp
