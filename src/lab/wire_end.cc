#include "lab/wire_end.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace braid::lab {

namespace {
// The queue is the link's; this one only has to hold what comes while the carrier does something else.
constexpr int kTransmitQueue = 5000;

tl::expected<io::FileDescriptor, std::string> open_device(const std::string& name) {
  io::FileDescriptor fd(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return tl::unexpected(fmt::format("/dev/net/tun: {}", std::strerror(errno)));
  ifreq request{};
  // No virtio header: the kernel cuts and sums what it sends, as for a wire.
  request.ifr_flags = static_cast<short>(IFF_TUN | IFF_NO_PI | IFF_TUN_EXCL);
  std::memcpy(request.ifr_name, name.data(), name.size());
  if (ioctl(fd.get(), TUNSETIFF, &request) != 0)
    return tl::unexpected(fmt::format("device {}: {}", name, std::strerror(errno)));
  const io::FileDescriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  request.ifr_qlen = kTransmitQueue;
  ioctl(socket.get(), SIOCSIFTXQLEN, &request);  // only helps
  return fd;
}
}  // namespace

tl::expected<std::unique_ptr<WireEnd>, std::string> WireEnd::open(const Namespaces& namespaces, size_t host,
                                                                  const std::string& name) {
  tl::expected<io::FileDescriptor, std::string> fd = io::FileDescriptor();
  namespaces.run_inside(host, [&] { fd = open_device(name); });
  if (!fd) return tl::unexpected(std::move(fd.error()));
  return std::unique_ptr<WireEnd>(new WireEnd(std::move(*fd), name));
}

std::optional<sim::Packet> WireEnd::receive(ChunkPool& pool) {
  ssize_t size;
  do {
    size = read(fd_.get(), buffer_.data(), buffer_.size());
  } while (size < 0 && errno == EINTR);
  if (size <= 0) return std::nullopt;
  sim::Packet packet;
  packet.bytes = copy_to_slice(pool, std::span(buffer_).first(static_cast<size_t>(size)));
  return packet;
}

void WireEnd::send(const sim::Packet& packet) {
  ssize_t written;
  do {
    written = write(fd_.get(), packet.bytes.data(), packet.bytes.size());
  } while (written < 0 && errno == EINTR);
  if (written < 0) ++refused_;
}

void WireEnd::set_carrier(bool is_up) {
  int carrier = is_up ? 1 : 0;
  ioctl(fd_.get(), TUNSETCARRIER, &carrier);
}

}  // namespace braid::lab
