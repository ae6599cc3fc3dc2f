// The same data on every usable path: delay is that of the best path at each moment, and a lost packet costs
// nothing while another path has it. Throughput is about that of the best path. Backups take part only when
// no regular path is left.
//
// Each subflow goes through the data by itself, from the oldest that the peer misses on; one that is behind
// skips what arrived by another meanwhile. New data wait for nobody: who has room and is through takes them.
#pragma once

#include "mptcp/scheduler/scheduler.h"

namespace braid::mptcp {

class Redundant final : public Scheduler {
 public:
  std::string_view name() const override { return "redundant"; }
  void rank(std::span<const SubflowView> subflows, std::span<uint8_t> order) override;
  uint64_t grant(const ScheduleInput& input) override;
  bool is_redundant() const override { return true; }
};

}  // namespace braid::mptcp
