// A Linux TUN device with checksum and segmentation offload both ways (virtio network headers).
#pragma once

#include <sys/uio.h>

#include <array>
#include <memory>
#include <string>

#include "io/file_descriptor.h"
#include "io/packet_device.h"
#include "io/setup_error.h"

namespace braid::io {

/// The header that precedes each packet (virtio 1.2, 5.1.6, without num_buffers), in the host's byte order.
/// The kernel's own declaration of it is not C++.
struct VirtioHeader {
  static constexpr uint8_t kNeedsChecksum = 1, kDataValid = 2;                          // flags
  static constexpr uint8_t kGsoNone = 0, kGsoTcpV4 = 1, kGsoTcpV6 = 4, kGsoEcn = 0x80;  // gso_type
  uint8_t flags = 0;
  uint8_t gso_type = kGsoNone;
  uint16_t header_size = 0;
  uint16_t gso_size = 0;
  uint16_t checksum_start = 0;
  uint16_t checksum_offset = 0;
};
static_assert(sizeof(VirtioHeader) == 10);

/// The virtio header that tells the device how to finish the packet: checksum, cutting.
VirtioHeader virtio_header_of(const wire::OutgoingPacket& packet);
/// What a virtio header says of a received packet.
void apply_virtio_header(const VirtioHeader& header, wire::ReceivedPacket& packet);

class TunDevice final : public PacketDevice {
 public:
  /// Makes a device, which goes when this object does. `name` as in NetworkConfig::device. The device is
  /// down.
  static Setup<std::unique_ptr<TunDevice>> open(const std::string& name);
  /// A device that somebody else made, maybe in another network namespace, and handed over with its
  /// descriptor.
  static Setup<std::unique_ptr<TunDevice>> adopt(FileDescriptor fd);

  const std::string& name() const override { return name_; }
  int index() const { return index_; }  ///< 0: of an adopted one
  int descriptor() const override { return fd_.get(); }
  wire::OffloadSupport offload() const override { return wire::OffloadSupport::kFull; }
  size_t receive(ChunkPool& pool, std::span<wire::ReceivedPacket> out) override;
  void send(wire::OutgoingPacket& packet) override;
  const DeviceCounters& counters() const override { return counters_; }

 private:
  TunDevice(FileDescriptor fd, std::string name, int index)
      : fd_(std::move(fd)), name_(std::move(name)), index_(index) {}
  wire::ReceivedPacket take(ChunkPool& pool, size_t size);

  FileDescriptor fd_;
  std::string name_;
  int index_;
  DeviceCounters counters_;
  ChunkRef read_buffer_;  // kept from one read to the next unless a large packet goes away with it
};

}  // namespace braid::io
