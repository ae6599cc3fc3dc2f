// Lowers the MSS option of SYNs to what fits through a tunnel behind it, as routers on PPPoE and VPN links do
// ("MSS clamping"): path MTU discovery often fails there.
#pragma once

#include "sim/middlebox/middlebox.h"

namespace braid::sim {

class MssClamper final : public Middlebox {
 public:
  struct Config {
    uint16_t mss = 1360;
    bool forward = true, backward = true;
  };
  explicit MssClamper(const Config& config) : config_(config) {}
  std::string_view name() const override { return "mss-clamper"; }
  void on_packet(Direction direction, Packet packet, MiddleboxOutput& output, Time now) override;

 private:
  Config config_;
};

}  // namespace braid::sim
