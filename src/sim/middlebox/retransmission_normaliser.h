// Keeps what was sent first, and puts it in place of whatever a retransmission holds, so that nobody can show
// an intrusion detector other bytes than the host behind it (NSDI 2012, 3.3: why a subflow's sequence numbers
// must never carry different bytes).
#pragma once

#include <map>
#include <vector>

#include "sim/middlebox/flow_table.h"
#include "sim/middlebox/middlebox.h"

namespace braid::sim {

class RetransmissionNormaliser final : public Middlebox {
 public:
  explicit RetransmissionNormaliser(size_t most_bytes) : most_bytes_(most_bytes) {}
  std::string_view name() const override { return "retransmission-normaliser"; }
  void on_packet(Direction direction, Packet packet, MiddleboxOutput& output, Time now) override;

 private:
  using Bytes = std::vector<std::byte>;
  /// Numbers are unwrapped, so that they have an order; kOrigin is where the first segment seen began.
  struct Sender {
    std::map<uint64_t, Bytes> kept;  // by their first octet, without overlaps
    size_t bytes = 0;
    bool is_known = false;
    Seq32 initial;
    uint64_t highest = kOrigin;  // that was seen, to unwrap by
    uint64_t unwrap(Seq32 seq) const { return unwrap32(seq.value() - initial.value(), highest); }
  };
  static constexpr uint64_t kOrigin = uint64_t{1} << 32;  // what lies before it is no negative number
  struct Flow {
    Sender senders[2];
  };
  static bool reassert(std::span<std::byte> payload, uint64_t begin, const Sender& sender);
  void keep(std::span<const std::byte> payload, uint64_t begin, Sender& sender) const;
  static void forget_acked(Sender& sender, Seq32 ack);

  size_t most_bytes_;
  FlowTable<Flow> flows_;
};

}  // namespace braid::sim
