// Where IP packets come from and go to, live. TUN is the first implementation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/chunk.h"
#include "wire/packet.h"

namespace braid::io {

struct DeviceCounters {
  uint64_t received_packets = 0, received_bytes = 0;
  uint64_t sent_packets = 0, sent_bytes = 0;
  uint64_t send_drops = 0;      // the device would not take it: TCP repairs
  uint64_t receive_errors = 0;  // packets that were cut short or had a header that makes no sense
};

/// One thread, non-blocking. Also a PacketSink: send() takes one packet and never waits.
class PacketDevice : public wire::PacketSink {
 public:
  virtual const std::string& name() const = 0;
  /// Readable when packets wait.
  virtual int descriptor() const = 0;
  virtual wire::OffloadSupport offload() const = 0;
  /// Up to out.size() packets that wait, into chunks of `pool`; returns how many. Fewer than asked for: no
  /// more are waiting.
  virtual size_t receive(ChunkPool& pool, std::span<wire::ReceivedPacket> out) = 0;
  virtual const DeviceCounters& counters() const = 0;
};

}  // namespace braid::io
