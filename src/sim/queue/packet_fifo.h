// Packets in order with the time at which each came: what every discipline is made of.
#pragma once

#include "base/ring.h"
#include "sim/packet.h"

namespace braid::sim {

class PacketFifo {
 public:
  struct Entry {
    Packet packet;
    Time at;
  };
  void push(Packet packet, Time now) {
    bytes_ += packet.bytes.size();
    entries_.push_back({std::move(packet), now});
  }
  Entry pop() {
    Entry entry = entries_.pop_front();
    bytes_ -= entry.packet.bytes.size();
    return entry;
  }
  bool empty() const { return entries_.empty(); }
  size_t packets() const { return entries_.size(); }
  uint64_t bytes() const { return bytes_; }

 private:
  Ring<Entry> entries_;
  uint64_t bytes_ = 0;
};

}  // namespace braid::sim
