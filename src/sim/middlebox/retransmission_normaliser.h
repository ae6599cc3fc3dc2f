// Keeps what was sent first, and puts it in place of whatever a retransmission holds, so that nobody can show
// an intrusion detector other bytes than the host behind it (NSDI 2012, 3.3: why a subflow's sequence numbers
// must never carry different bytes).
#pragma once

#include <deque>

#include "sim/middlebox/flow_table.h"
#include "sim/middlebox/middlebox.h"

namespace braid::sim {

class RetransmissionNormaliser final : public Middlebox {
 public:
  explicit RetransmissionNormaliser(size_t most_bytes) : most_bytes_(most_bytes) {}
  std::string_view name() const override { return "retransmission-normaliser"; }
  void on_packet(Direction direction, Packet packet, MiddleboxOutput& output, Time now) override;

 private:
  struct Kept {
    Seq32 begin;
    std::vector<std::byte> bytes;
  };
  struct Sender {
    std::deque<Kept> kept;  // in order, without gaps in between or overlaps
    size_t bytes = 0;
    bool is_known = false;
    Seq32 next;
  };
  struct Flow {
    Sender senders[2];
  };
  static bool reassert(TcpPacket& packet, const Sender& sender);
  void keep(TcpPacket& packet, Sender& sender) const;
  static void forget_acked(Sender& sender, Seq32 ack);

  size_t most_bytes_;
  FlowTable<Flow> flows_;
};

}  // namespace braid::sim
