// The TUN device of a captured namespace, as its host sees it: some packets are not for it, or not yet.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "io/packet_device.h"

namespace braid::service {

class CaptureDevice final : public io::PacketDevice {
 public:
  /// True: the packet is for the host. False: it was dealt with, and may have been moved from.
  using Filter = std::function<bool(wire::ReceivedPacket&)>;
  CaptureDevice(std::unique_ptr<io::PacketDevice> device, Filter filter)
      : device_(std::move(device)), filter_(std::move(filter)) {}

  const std::string& name() const override { return device_->name(); }
  int descriptor() const override { return device_->descriptor(); }
  wire::OffloadSupport offload() const override { return device_->offload(); }
  const io::DeviceCounters& counters() const override { return device_->counters(); }
  void send(wire::OutgoingPacket& packet) override { device_->send(packet); }
  size_t receive(ChunkPool& pool, std::span<wire::ReceivedPacket> out) override {
    const size_t count = device_->receive(pool, out);
    size_t kept = 0;
    for (size_t i = 0; i < count; ++i) {
      wire::ReceivedPacket packet = std::move(out[i]);
      if (filter_(packet)) out[kept++] = std::move(packet);
    }
    return kept;
  }

 private:
  std::unique_ptr<io::PacketDevice> device_;
  Filter filter_;
};

}  // namespace braid::service
