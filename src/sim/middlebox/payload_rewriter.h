// Replaces bytes of the stream. With another length it mends sequence numbers from there on, as a gateway for
// FTP does that writes another address into the control connection (NSDI 2012, 3.3.4).
#pragma once

#include <string>
#include <vector>

#include "sim/middlebox/flow_table.h"
#include "sim/middlebox/middlebox.h"

namespace braid::sim {

class PayloadRewriter final : public Middlebox {
 public:
  struct Config {
    std::string find;
    std::string replace;
    bool forward = true, backward = false;
    uint64_t most_times = 1;  // a flow and direction
  };
  explicit PayloadRewriter(Config config) : config_(std::move(config)) {}
  std::string_view name() const override { return "payload-rewriter"; }
  void on_packet(Direction direction, Packet packet, MiddleboxOutput& output, Time now) override;

 private:
  /// A place where the pattern was, in the sender's own numbers: it is replaced again when it is repeated.
  struct Place {
    Seq32 begin;
  };
  /// What one end sends.
  struct Sender {
    std::vector<Place> places;  // in order
    bool is_known = false;
    Seq32 next;  // after the highest octet that has passed, in the sender's own numbers
  };
  struct Flow {
    Sender senders[2];
  };
  static void note_passed(const TcpPacket& packet, Sender& sender);
  bool is_on(Direction direction) const {
    return direction == Direction::kForward ? config_.forward : config_.backward;
  }
  int32_t growth() const {
    return static_cast<int32_t>(config_.replace.size()) - static_cast<int32_t>(config_.find.size());
  }
  void find_places(TcpPacket& packet, Sender& sender) const;
  bool rewrite(TcpPacket& packet, const std::vector<Place>& places) const;
  /// The sender's number as the receiver sees it, and back.
  Seq32 outward(Seq32 seq, const std::vector<Place>& places) const;
  Seq32 inward(Seq32 seq, const std::vector<Place>& places) const;

  Config config_;
  FlowTable<Flow> flows_;
};

}  // namespace braid::sim
