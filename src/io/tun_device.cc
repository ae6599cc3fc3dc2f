#include "io/tun_device.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace braid::io {

namespace {
constexpr size_t kLargestPacket = 65535;
constexpr size_t kReadBufferBytes = 69632;  // the pool's class for a whole super-segment
// Packets up to this size are copied into a chunk of their own size: the copy of bytes that the read has just
// put in the cache costs less than a 68 KB chunk held by a few octets does.
constexpr size_t kCopyLimit = 16384;
constexpr size_t kTcpChecksumOffset = 16;
constexpr size_t kTcpFlagsOffset = 13;
constexpr std::byte kCwrFlag{0x80};
// Packets for Braid. The kernel's default, 500, overflows on bursts of uncoalesced packets; 2048 did with a
// hundred connections that receive at once: one packet in nine was lost here and sent again.
constexpr int kTransmitQueue = 10'000;

SetupError describe_open_failure(int error) {
  switch (error) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return setup_error("Braid needs /dev/net/tun, and cannot open it", error,
                         "Load the module (modprobe tun); in a container, pass the device in "
                         "(--device /dev/net/tun).");
    case EACCES:
      return setup_error("Braid needs /dev/net/tun, and cannot open it", error,
                         "Run as root or with CAP_NET_ADMIN; in a container, allow the device "
                         "(--device /dev/net/tun --cap-add NET_ADMIN).");
    default:
      return setup_error("Cannot open /dev/net/tun", error);
  }
}

SetupError describe_create_failure(const std::string& name, int error) {
  const std::string what = fmt::format("Cannot make the TUN device {} with /dev/net/tun", name);
  if (error == EPERM) {
    return setup_error(what, error,
                       "It takes CAP_NET_ADMIN: run as root, or give the program that capability "
                       "(in a container: --cap-add NET_ADMIN).");
  }
  if (error == EBUSY || error == EEXIST) {
    return setup_error(what, error, "Another program has a device of that name; choose another.");
  }
  if (error == ENOTTY) {
    return setup_error(what, error,
                       "That file is not the TUN driver: in a container, pass the device in "
                       "(--device /dev/net/tun).");
  }
  return setup_error(what, error);
}
}  // namespace

VirtioHeader virtio_header_of(const wire::OutgoingPacket& packet) {
  VirtioHeader header;
  header.header_size = packet.header_size;
  if (packet.is_checksum_partial) {
    header.flags = VirtioHeader::kNeedsChecksum;
    header.checksum_start = packet.ip_header_size;
    header.checksum_offset = kTcpChecksumOffset;
  }
  if (packet.gso_size != 0) {
    header.gso_type = packet.family == wire::Family::kV4 ? VirtioHeader::kGsoTcpV4 : VirtioHeader::kGsoTcpV6;
    // The device must not repeat CWR on every piece (RFC 3168, 6.1.2).
    if ((packet.header[packet.ip_header_size + kTcpFlagsOffset] & kCwrFlag) != std::byte{0}) {
      header.gso_type |= VirtioHeader::kGsoEcn;
    }
    header.gso_size = packet.gso_size;
  }
  return header;
}

void apply_virtio_header(const VirtioHeader& header, wire::ReceivedPacket& packet) {
  // NEEDS_CSUM on input: the packet comes from this machine and was never summed, so it cannot be wrong.
  const bool is_valid = (header.flags & (VirtioHeader::kNeedsChecksum | VirtioHeader::kDataValid)) != 0;
  packet.checksum = is_valid ? wire::ChecksumState::kValid : wire::ChecksumState::kUnverified;
  packet.gso_size = header.gso_type == VirtioHeader::kGsoNone ? 0 : header.gso_size;
}

Setup<std::unique_ptr<TunDevice>> TunDevice::open(const std::string& name) {
  if (name.size() >= IFNAMSIZ) {
    return tl::unexpected(SetupError{fmt::format("The device name {} is longer than 15 characters.", name)});
  }
  FileDescriptor fd(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return tl::unexpected(describe_open_failure(errno));
  ifreq request{};
  request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
  if (name.find('%') == std::string::npos) request.ifr_flags |= static_cast<short>(IFF_TUN_EXCL);
  std::memcpy(request.ifr_name, name.data(), name.size());
  if (ioctl(fd.get(), TUNSETIFF, &request) != 0) return tl::unexpected(describe_create_failure(name, errno));
  std::string real_name = request.ifr_name;
  const int header_size = sizeof(VirtioHeader);
  const unsigned offload = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
  if (ioctl(fd.get(), TUNSETVNETHDRSZ, &header_size) != 0 ||
      ioctl(fd.get(), TUNSETOFFLOAD, static_cast<unsigned long>(offload)) != 0) {
    return tl::unexpected(setup_error("This kernel's TUN driver lacks segmentation offload", errno));
  }
  const FileDescriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  request.ifr_qlen = kTransmitQueue;
  ioctl(socket.get(), SIOCSIFTXQLEN, &request);  // only helps; not having it is no failure
  if (ioctl(socket.get(), SIOCGIFINDEX, &request) != 0) {
    return tl::unexpected(setup_error("Cannot find the TUN device " + real_name, errno));
  }
  return std::unique_ptr<TunDevice>(new TunDevice(std::move(fd), std::move(real_name), request.ifr_ifindex));
}

Setup<std::unique_ptr<TunDevice>> TunDevice::adopt(FileDescriptor fd) {
  ifreq request{};
  const int header_size = sizeof(VirtioHeader);
  const unsigned offload = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
  constexpr short kWanted = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
  const bool is_tun =
      fd && ioctl(fd.get(), TUNGETIFF, &request) == 0 && (request.ifr_flags & kWanted) == kWanted;
  if (!is_tun || fcntl(fd.get(), F_SETFL, O_RDWR | O_NONBLOCK) != 0 ||
      ioctl(fd.get(), TUNSETVNETHDRSZ, &header_size) != 0 ||
      ioctl(fd.get(), TUNSETOFFLOAD, static_cast<unsigned long>(offload)) != 0) {
    return tl::unexpected(SetupError{"That descriptor is no TUN device as Braid makes them."});
  }
  return std::unique_ptr<TunDevice>(new TunDevice(std::move(fd), request.ifr_name, 0));
}

wire::ReceivedPacket TunDevice::take(ChunkPool& pool, size_t size) {
  wire::ReceivedPacket packet;
  if (size <= kCopyLimit) {
    packet.bytes = copy_to_slice(pool, {read_buffer_->data(), size});
  } else {
    packet.bytes = Slice(std::exchange(read_buffer_, {}), 0, size);
  }
  return packet;
}

size_t TunDevice::receive(ChunkPool& pool, std::span<wire::ReceivedPacket> out) {
  size_t count = 0;
  while (count < out.size()) {
    if (!read_buffer_) read_buffer_ = pool.allocate(kReadBufferBytes);
    VirtioHeader header;
    const std::array<iovec, 2> parts = {{{&header, sizeof(header)}, {read_buffer_->data(), kLargestPacket}}};
    const ssize_t size = readv(fd_.get(), parts.data(), parts.size());
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) ++counters_.receive_errors;
      break;
    }
    if (static_cast<size_t>(size) <= sizeof(header)) {
      ++counters_.receive_errors;
      continue;
    }
    const size_t bytes = static_cast<size_t>(size) - sizeof(header);
    out[count] = take(pool, bytes);
    apply_virtio_header(header, out[count]);
    ++count;
    ++counters_.received_packets;
    counters_.received_bytes += bytes;
  }
  return count;
}

void TunDevice::send(wire::OutgoingPacket& packet) {
  VirtioHeader header = virtio_header_of(packet);
  std::array<iovec, 2 + decltype(packet.payload)::static_capacity> parts;
  parts[0] = {&header, sizeof(header)};
  parts[1] = {packet.header.data(), packet.header_size};
  int count = 2;
  for (const Slice& slice : packet.payload) {
    parts[count++] = {const_cast<std::byte*>(slice.data()), slice.size()};
  }
  ssize_t written;
  do {
    written = writev(fd_.get(), parts.data(), count);
  } while (written < 0 && errno == EINTR);
  // A TUN write does not wait for room; what it refuses (device down, no memory) is a lost packet.
  if (written < 0) {
    ++counters_.send_drops;
    return;
  }
  ++counters_.sent_packets;
  counters_.sent_bytes += static_cast<size_t>(written) - sizeof(header);
}

}  // namespace braid::io
