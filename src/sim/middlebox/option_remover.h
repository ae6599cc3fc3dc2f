// Removes TCP options: what 6 % of access networks did to MP_CAPABLE, 14 % on port 80 (NSDI 2012, 3.1).
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sim/middlebox/flow_table.h"
#include "sim/middlebox/middlebox.h"

namespace braid::sim {

class OptionRemover final : public Middlebox {
 public:
  struct Config {
    /// Names of removable_options().
    std::vector<std::string> options = {"mptcp"};
    /// syn, synack, third_ack (of the handshake), ack (no data; that one too), data; empty: all.
    std::vector<std::string> segments = {};
    bool forward = true, backward = true;
    Duration from{0};             // since the flow was first seen
    uint64_t after_segments = 0;  // of the flow, both directions
  };
  explicit OptionRemover(const Config& config);
  std::string_view name() const override { return "option-remover"; }
  void on_packet(Direction direction, Packet packet, MiddleboxOutput& output, Time now) override;

  static const std::vector<std::string>& removable_options();
  static const std::vector<std::string>& segment_kinds();

 private:
  struct Flow {
    Time since = kNever;
    uint64_t segments = 0;
    Direction opener = Direction::kForward;  // where the SYN came from
    std::optional<Seq32> first[2] = {};      // octet of each direction
  };
  static bool is_third_ack(const TcpPacket& packet, Direction direction, const Flow& flow);
  bool is_meant(const TcpPacket& packet, Direction direction, const Flow& flow) const;
  bool is_removed(uint8_t kind, std::span<const std::byte> option) const;

  Config config_;
  std::set<std::string> options_, segments_;
  FlowTable<Flow> flows_;
};

}  // namespace braid::sim
