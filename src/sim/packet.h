// What travels in the simulator, and who takes it.
#pragma once

#include <cstdint>

#include "base/chunk.h"
#include "base/time.h"
#include "wire/packet.h"

namespace braid::sim {

/// One whole IP packet; gso_size is 0, what travels on links is cut already. Its checksums are right in its
/// bytes; ChecksumState::kValid says that nobody needs to look.
using Packet = wire::ReceivedPacket;

/// Of a link: kForward goes from its first end to its second, as the scenario names them.
enum class Direction : uint8_t { kForward, kBackward };
constexpr Direction opposite(Direction direction) {
  return direction == Direction::kForward ? Direction::kBackward : Direction::kForward;
}

/// An end of a link: an interface of a host or a router, or the edge to the world outside.
class Port {
 public:
  virtual ~Port() = default;
  virtual void receive(Packet packet, Time now) = 0;
  /// The link went down or came up in a way that its ends see (carrier).
  virtual void on_carrier(bool /*is_up*/, Time /*now*/) {}
};

/// The packet with bytes that may be changed: a copy if others hold them too.
std::byte* writable_bytes(Packet& packet, ChunkPool& pool);

}  // namespace braid::sim
