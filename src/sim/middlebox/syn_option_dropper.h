// Drops SYNs that carry an option it does not know, instead of the option alone: the worst that networks do
// to a new option, and the reason why a plain SYN is tried after some (RFC 8684, 3.7).
#pragma once

#include "sim/middlebox/flow_table.h"
#include "sim/middlebox/middlebox.h"

namespace braid::sim {

class SynOptionDropper final : public Middlebox {
 public:
  struct Config {
    bool drops_syn = true, drops_syn_ack = false;
    uint64_t most = UINT64_MAX;  // of a flow; then they pass
  };
  explicit SynOptionDropper(const Config& config) : config_(config) {}
  std::string_view name() const override { return "syn-option-dropper"; }
  void on_packet(Direction direction, Packet packet, MiddleboxOutput& output, Time now) override;

 private:
  Config config_;
  FlowTable<uint64_t> dropped_;
};

}  // namespace braid::sim
