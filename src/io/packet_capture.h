// Packets to a pcap file (raw IP, nanosecond stamps), for tshark and Wireshark.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/time.h"
#include "io/setup_error.h"
#include "wire/packet.h"

namespace braid::io {

class PacketCapture {
 public:
  static constexpr Duration kFlushInterval = 500ms;

  /// "-" is standard output.
  static Setup<std::unique_ptr<PacketCapture>> open(const std::string& path);
  ~PacketCapture();
  PacketCapture(const PacketCapture&) = delete;
  PacketCapture& operator=(const PacketCapture&) = delete;

  void received(const wire::ReceivedPacket& packet, Time now);
  /// As it would be on the wire uncut: one packet, checksum finished.
  void sent(const wire::OutgoingPacket& packet, Time now);

  /// When something unwritten should be flushed; kNever if there is nothing.
  Time flush_deadline() const { return flush_at_; }
  void flush();

 private:
  struct Impl;
  explicit PacketCapture(std::unique_ptr<Impl> impl);
  void write(std::span<const std::byte> bytes, Time now);
  std::unique_ptr<Impl> impl_;
  Time flush_at_ = kNever;
};

}  // namespace braid::io
