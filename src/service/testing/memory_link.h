// Two packet devices joined by a wire in memory, each in a thread of its own: hosts without TUN, namespaces
// or privileges.
#pragma once

#include <sys/eventfd.h>

#include <atomic>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "io/file_descriptor.h"
#include "io/packet_device.h"

namespace braid::service {

class MemoryLink {
 public:
  struct Packet {
    std::vector<std::byte> bytes;
    uint16_t gso_size = 0;
  };
  /// What waits for one of the two ends.
  struct Queue {
    std::mutex mutex;
    std::deque<Packet> packets;
    io::FileDescriptor wake{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  };

  /// From now on nothing arrives, either way.
  void cut() { is_cut_ = true; }
  bool is_cut() const { return is_cut_; }
  Queue& queue(int end) { return queues_[end]; }

 private:
  Queue queues_[2];
  std::atomic<bool> is_cut_ = false;
};

/// One end. `link` outlives it.
class MemoryDevice final : public io::PacketDevice {
 public:
  MemoryDevice(MemoryLink& link, int end) : link_(link), in_(link.queue(end)), out_(link.queue(1 - end)) {}

  const std::string& name() const override { return name_; }
  int descriptor() const override { return in_.wake.get(); }
  wire::OffloadSupport offload() const override { return wire::OffloadSupport::kFull; }
  const io::DeviceCounters& counters() const override { return counters_; }

  size_t receive(ChunkPool& pool, std::span<wire::ReceivedPacket> out) override {
    const std::lock_guard lock(in_.mutex);
    size_t count = 0;
    for (; count < out.size() && !in_.packets.empty(); ++count) {
      const MemoryLink::Packet& packet = in_.packets.front();
      out[count] = {copy_to_slice(pool, packet.bytes), packet.gso_size, wire::ChecksumState::kValid};
      in_.packets.pop_front();
    }
    eventfd_t waiting = 0;
    if (in_.packets.empty()) eventfd_read(in_.wake.get(), &waiting);
    counters_.received_packets += count;
    return count;
  }

  void send(wire::OutgoingPacket& packet) override {
    if (link_.is_cut()) return;
    MemoryLink::Packet copy;
    copy.gso_size = packet.gso_size;
    copy.bytes.reserve(packet.size());
    const auto append = [&](std::span<const std::byte> part) {
      copy.bytes.insert(copy.bytes.end(), part.begin(), part.end());
    };
    append(packet.header_bytes());
    for (const Slice& slice : packet.payload) append(slice.bytes());
    const std::lock_guard lock(out_.mutex);
    out_.packets.push_back(std::move(copy));
    eventfd_write(out_.wake.get(), 1);
    ++counters_.sent_packets;
  }

 private:
  MemoryLink& link_;
  MemoryLink::Queue& in_;
  MemoryLink::Queue& out_;
  std::string name_ = "memory";
  io::DeviceCounters counters_;
};

}  // namespace braid::service
