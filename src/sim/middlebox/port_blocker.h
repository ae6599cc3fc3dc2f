// Lets nothing through to some ports: silently, or with a reset to the sender, as guest networks and company
// firewalls do.
#pragma once

#include <utility>
#include <vector>

#include "sim/middlebox/middlebox.h"

namespace braid::sim {

class PortBlocker final : public Middlebox {
 public:
  struct Config {
    /// First and last. What is sent to one of them is blocked; what comes from there is not.
    std::vector<std::pair<uint16_t, uint16_t>> ports;
    bool forward = true, backward = false;
    bool resets = false;
  };
  explicit PortBlocker(Config config) : config_(std::move(config)) {}
  std::string_view name() const override { return "port-blocker"; }
  void on_packet(Direction direction, Packet packet, MiddleboxOutput& output, Time now) override;

 private:
  bool is_blocked(uint16_t port) const;

  Config config_;
};

}  // namespace braid::sim
