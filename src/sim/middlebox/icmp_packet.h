// An ICMP error about a TCP segment inside its IP packet, to be looked at and changed in place: what a NAT
// has to do with one (RFC 5508, 4.2).
#pragma once

#include <cstdint>
#include <optional>

#include "sim/packet.h"
#include "wire/address.h"

namespace braid::sim {

class IcmpPacket {
 public:
  /// Nothing if it holds no well-formed ICMP error that quotes TCP, or its checksum is wrong; `packet` is as
  /// it was then. Otherwise it is taken.
  static std::optional<IcmpPacket> open(Packet& packet, ChunkPool& pool);
  /// The packet again, with right checksums.
  Packet close() &&;

  /// Of the segment that it is about: local is where that came from.
  const wire::FourTuple& quoted() const { return quoted_; }

  // All of the packet's own family. The quoted headers keep checksums that are as right as they were.
  void set_source(const wire::IpAddress& address) { set_address(0, address); }
  void set_destination(const wire::IpAddress& address) { set_address(1, address); }
  void set_quoted_source(const wire::Endpoint& endpoint) { set_quoted(0, endpoint); }
  void set_quoted_destination(const wire::Endpoint& endpoint) { set_quoted(1, endpoint); }

 private:
  IcmpPacket() = default;
  void set_address(size_t index, const wire::IpAddress& address);
  void set_quoted(size_t index, const wire::Endpoint& endpoint);
  bool is_v4() const { return quoted_.local.address.is_v4(); }

  Packet packet_;
  std::byte* bytes_ = nullptr;
  // Positions from the packet's first octet.
  size_t addresses_ = 0, message_ = 0, end_ = 0;
  size_t quoted_ip_ = 0, quoted_addresses_ = 0, quoted_tcp_ = 0;
  wire::FourTuple quoted_;
};

}  // namespace braid::sim
