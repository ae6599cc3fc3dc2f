#include "io/tun_device.h"

namespace braid::io {
namespace {

wire::OutgoingPacket make_packet(wire::Family family) {
  wire::OutgoingPacket packet{};
  packet.family = family;
  packet.ip_header_size = family == wire::Family::kV4 ? 20 : 40;
  packet.header_size = packet.ip_header_size + 32;
  return packet;
}

TEST(VirtioHeader, AWholePacketAsksForNothing) {
  const VirtioHeader header = virtio_header_of(make_packet(wire::Family::kV4));
  EXPECT_EQ(header.flags, 0);
  EXPECT_EQ(header.gso_type, VirtioHeader::kGsoNone);
  EXPECT_EQ(header.header_size, 52);
}

TEST(VirtioHeader, APartialChecksumIsFinishedByTheDevice) {
  wire::OutgoingPacket packet = make_packet(wire::Family::kV6);
  packet.is_checksum_partial = true;
  const VirtioHeader header = virtio_header_of(packet);
  EXPECT_EQ(header.flags, VirtioHeader::kNeedsChecksum);
  EXPECT_EQ(header.checksum_start, 40);
  EXPECT_EQ(header.checksum_offset, 16);
}

TEST(VirtioHeader, ASuperSegmentIsCutByTheDevice) {
  wire::OutgoingPacket packet = make_packet(wire::Family::kV6);
  packet.is_checksum_partial = true;
  packet.gso_size = 1400;
  VirtioHeader header = virtio_header_of(packet);
  EXPECT_EQ(header.gso_type, VirtioHeader::kGsoTcpV6);
  EXPECT_EQ(header.gso_size, 1400);
  packet.header[packet.ip_header_size + 13] = std::byte{0x80};
  header = virtio_header_of(packet);
  EXPECT_EQ(header.gso_type, VirtioHeader::kGsoTcpV6 | VirtioHeader::kGsoEcn)
      << "CWR goes on the first piece";
}

TEST(VirtioHeader, OnlyWhatTheDeviceVouchesForIsNotVerified) {
  wire::ReceivedPacket packet;
  apply_virtio_header({}, packet);
  EXPECT_EQ(packet.checksum, wire::ChecksumState::kUnverified);
  EXPECT_EQ(packet.gso_size, 0);
  apply_virtio_header({.flags = VirtioHeader::kDataValid}, packet);
  EXPECT_EQ(packet.checksum, wire::ChecksumState::kValid);
  apply_virtio_header(
      {.flags = VirtioHeader::kNeedsChecksum, .gso_type = VirtioHeader::kGsoTcpV4, .gso_size = 1460}, packet);
  EXPECT_EQ(packet.checksum, wire::ChecksumState::kValid);
  EXPECT_EQ(packet.gso_size, 1460);
}

}  // namespace
}  // namespace braid::io
