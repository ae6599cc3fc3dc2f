// Cuts segments into smaller ones and copies the options to each, as a device with segmentation offload does.
#pragma once

#include "sim/middlebox/middlebox.h"

namespace braid::sim {

class Splitter final : public Middlebox {
 public:
  explicit Splitter(size_t most_payload_bytes) : most_payload_bytes_(most_payload_bytes) {}
  std::string_view name() const override { return "splitter"; }
  void on_packet(Direction direction, Packet packet, MiddleboxOutput& output, Time now) override;

 private:
  size_t most_payload_bytes_;
};

}  // namespace braid::sim
