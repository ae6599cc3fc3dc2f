// A TCP segment inside its IP packet, to be looked at and changed in place. A middlebox takes one apart, and
// puts it back together with right checksums (or with wrong ones, if they were wrong before).
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/sequence.h"
#include "sim/packet.h"
#include "wire/byte_order.h"
#include "wire/tcp_header.h"

namespace braid::sim {

class TcpPacket {
 public:
  /// Nothing if it holds no well-formed TCP header; `packet` is as it was then. Otherwise it is taken.
  static std::optional<TcpPacket> open(Packet& packet, ChunkPool& pool);
  /// The packet again.
  Packet close() &&;

  /// False: its checksum was wrong when it came, and will be when it goes. A box that keeps what it sees must
  /// not keep that.
  bool is_intact() const { return !was_wrong_; }

  wire::Endpoint source() const { return {address(0), wire::load16(tcp() + wire::TcpField::kSourcePort)}; }
  wire::Endpoint destination() const {
    return {address(1), wire::load16(tcp() + wire::TcpField::kDestinationPort)};
  }
  /// Of the packet's own family.
  void set_source(const wire::Endpoint& endpoint) { set_endpoint(0, endpoint); }
  void set_destination(const wire::Endpoint& endpoint) { set_endpoint(1, endpoint); }

  Seq32 seq() const { return Seq32(wire::load32(tcp() + wire::TcpField::kSeq)); }
  Seq32 ack() const { return Seq32(wire::load32(tcp() + wire::TcpField::kAck)); }
  uint16_t window() const { return wire::load16(tcp() + wire::TcpField::kWindow); }
  wire::TcpFlags flags() const { return wire::to_flags(wire::load8(tcp() + wire::TcpField::kFlags)); }
  void set_seq(Seq32 seq) { wire::store32(tcp() + wire::TcpField::kSeq, seq.value()); }
  void set_ack(Seq32 ack) { wire::store32(tcp() + wire::TcpField::kAck, ack.value()); }
  void set_window(uint16_t window) { wire::store16(tcp() + wire::TcpField::kWindow, window); }
  void set_flags(const wire::TcpFlags& flags) {
    wire::store8(tcp() + wire::TcpField::kFlags, wire::to_bits(flags));
  }

  /// The option octets, padding included.
  std::span<std::byte> options() { return {tcp() + wire::kTcpHeaderSize, tcp_size_ - wire::kTcpHeaderSize}; }
  std::span<std::byte> payload() { return {tcp() + tcp_size_, size_ - ip_size_ - tcp_size_}; }
  size_t payload_size() const { return size_ - ip_size_ - tcp_size_; }
  uint32_t sequence_length() const {
    const wire::TcpFlags f = flags();
    return static_cast<uint32_t>(payload_size()) + (f.syn ? 1 : 0) + (f.fin ? 1 : 0);
  }
  /// Headers stay, lengths follow.
  void set_payload(std::span<const std::byte> bytes);

  /// Calls `visit(kind, whole option)` for each option with a length that fits.
  template <class Visit>
  void for_each_option(Visit&& visit) {
    const std::span<std::byte> all = options();
    for (size_t at = 0; at < all.size();) {
      const auto kind = static_cast<uint8_t>(all[at]);
      if (kind == 0) return;
      if (kind == 1) {
        ++at;
        continue;
      }
      if (at + 1 >= all.size()) return;
      const auto length = static_cast<size_t>(all[at + 1]);
      if (length < 2 || at + length > all.size()) return;
      visit(kind, all.subspan(at, length));
      at += length;
    }
  }

 private:
  TcpPacket() = default;
  std::byte* tcp() { return bytes_ + ip_size_; }
  const std::byte* tcp() const { return bytes_ + ip_size_; }
  wire::IpAddress address(size_t index) const;
  void set_endpoint(size_t index, const wire::Endpoint& endpoint);
  void finish_checksums();
  uint16_t tcp_checksum() const;

  Packet packet_;
  ChunkPool* pool_ = nullptr;
  std::byte* bytes_ = nullptr;
  size_t size_ = 0, ip_size_ = 0, tcp_size_ = 0;
  bool is_v4_ = true;
  bool was_wrong_ = false;
};

/// Octets of an option overwritten by NOPs: what was behind stays where it was.
void erase_option(std::span<std::byte> option);

}  // namespace braid::sim
