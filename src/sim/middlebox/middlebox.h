// A box on a link that does not only forward: NAT, firewall, proxy, normaliser ... (NSDI 2012, section 3;
// RFC 8684, 6). One small class each; the same object works on the virtual clock and in real time.
#pragma once

#include <string>
#include <string_view>

#include "base/chunk.h"
#include "base/time.h"
#include "sim/packet.h"

namespace braid::sim {

/// Where a middlebox puts what it passes on or makes up.
class MiddleboxOutput {
 public:
  virtual ~MiddleboxOutput() = default;
  virtual void emit(Direction towards, Packet packet) = 0;
  virtual ChunkPool& pool() = 0;
};

/// Deterministic: a box that needs chance is given a seed. Packets that it does not understand (no TCP) pass.
class Middlebox {
 public:
  virtual ~Middlebox() = default;
  virtual std::string_view name() const = 0;
  /// A packet came in on its way to `direction`'s end. Not emitting it drops it.
  virtual void on_packet(Direction direction, Packet packet, MiddleboxOutput& output, Time now) = 0;
  virtual Time next_deadline() const { return kNever; }
  virtual void on_timer(MiddleboxOutput& /*output*/, Time /*now*/) {}

  /// For reports.
  struct Totals {
    uint64_t passed = 0, changed = 0, dropped = 0, made = 0;
  };
  const Totals& totals() const { return totals_; }

 protected:
  Totals totals_;
};

}  // namespace braid::sim
