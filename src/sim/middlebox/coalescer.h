// Joins segments of a flow that follow each other: the options of the first (or the last) are kept, the
// others are lost with their segments, as traffic normalisers do (NSDI 2012, 3.1).
#pragma once

#include "sim/middlebox/flow_table.h"
#include "sim/middlebox/middlebox.h"

namespace braid::sim {

class Coalescer final : public Middlebox {
 public:
  struct Config {
    size_t most_payload_bytes = 1400;
    Duration hold = 5ms;  // how long a segment waits for the next
    bool keeps_last_options = false;
  };
  explicit Coalescer(const Config& config) : config_(config) {}
  std::string_view name() const override { return "coalescer"; }
  void on_packet(Direction direction, Packet packet, MiddleboxOutput& output, Time now) override;
  Time next_deadline() const override { return deadline_; }
  void on_timer(MiddleboxOutput& output, Time now) override;

 private:
  struct Held {
    std::optional<TcpPacket> packet;
    Direction direction = Direction::kForward;
    Time until = kNever;
  };
  struct Flow {
    Held held[2];
  };
  bool join(Held& held, TcpPacket& next);
  void release(Held& held, MiddleboxOutput& output);

  Config config_;
  FlowTable<Flow> flows_;
  Time deadline_ = kNever;
};

}  // namespace braid::sim
