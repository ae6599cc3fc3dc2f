// Shifts the sequence numbers of each direction by a random number, as firewalls do that do not trust a
// host's initial ones: 10 % of paths, 18 % on port 80 (NSDI 2012, 3.1).
#pragma once

#include "base/random.h"
#include "sim/middlebox/flow_table.h"
#include "sim/middlebox/middlebox.h"

namespace braid::sim {

class SequenceRewriter final : public Middlebox {
 public:
  explicit SequenceRewriter(uint64_t seed) : random_(seed) {}
  std::string_view name() const override { return "sequence-rewriter"; }
  void on_packet(Direction direction, Packet packet, MiddleboxOutput& output, Time now) override;

 private:
  struct Flow {
    bool is_known = false;
    uint32_t shift[2] = {0, 0};  // of what each direction sends
  };
  SeededRandom random_;
  FlowTable<Flow> flows_;
};

/// Adds `shift` to the edges of every SACK block.
void shift_sack_blocks(TcpPacket& packet, uint32_t shift);

}  // namespace braid::sim
