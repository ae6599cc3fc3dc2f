// A split proxy that keeps a connection's ends in the belief that they speak to each other: it acknowledges
// data before the receiver does, and repeats by itself what gets lost behind it (performance-enhancing
// proxies, RFC 3135; NSDI 2012, 3.3.5: why only a DATA_ACK may free data).
#pragma once

#include <array>
#include <deque>
#include <optional>

#include "sim/middlebox/flow_table.h"
#include "sim/middlebox/middlebox.h"

namespace braid::sim {

class ProactiveAcker final : public Middlebox {
 public:
  struct Config {
    size_t most_bytes = 48 * 1024;  // held for a flow and direction: its window towards the receiver
    Duration retransmission_timeout = 300ms;
  };
  explicit ProactiveAcker(const Config& config) : config_(config) {}
  std::string_view name() const override { return "proactive-acker"; }
  void on_packet(Direction direction, Packet packet, MiddleboxOutput& output, Time now) override;
  Time next_deadline() const override { return deadline_; }
  void on_timer(MiddleboxOutput& output, Time now) override;

 private:
  struct Held {
    Seq32 end;
    Packet packet;
  };
  /// Of the data that one end sends.
  struct Half {
    std::deque<Held> held;  // acknowledged by us, not by the receiver
    size_t bytes = 0;
    bool is_known = false;
    Seq32 next;                                          // in order up to here
    Seq32 acked;                                         // by the receiver
    std::optional<std::array<std::byte, 8>> timestamps;  // the newest that its sender wrote: value and echo
    uint32_t duplicates = 0;
    uint16_t window = 0;  // the receiver's, as the header of a segment that is no SYN says it
    Seq32 receiver_seq;   // with which it sends
    bool has_receiver = false;
    Time repeat_at = kNever;
    bool is_recovering = false;  // from a loss; what went before `recover` may be lost too
    Seq32 recover;
  };
  void repeat_first(Half& half, Direction data, MiddleboxOutput& output, Time now);
  struct Flow {
    Half halves[2];
    std::optional<uint8_t> scales[2];  // in the SYN of each direction
  };
  void on_ack(Half& half, const TcpPacket& packet, uint16_t window, Direction data, MiddleboxOutput& output,
              Time now);
  bool take_over(Half& half, const TcpPacket& packet) const;
  static void acknowledge(const Half& half, const TcpPacket& packet, Direction data, MiddleboxOutput& output);

  Config config_;
  FlowTable<Flow> flows_;
  Time deadline_ = kNever;
};

}  // namespace braid::sim
