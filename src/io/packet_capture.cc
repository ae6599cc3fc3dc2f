#include "io/packet_capture.h"

#include <fmt/format.h>
#include <pcap/pcap.h>

#include <cerrno>
#include <cstring>
#include <ctime>

namespace braid::io {

namespace {
constexpr int kSnapshotBytes = 262144;
}

struct PacketCapture::Impl {
  pcap_t* format = nullptr;
  pcap_dumper_t* file = nullptr;
  ChunkPool pool;
  /// What to add to the loop's clock to have the time of day.
  std::chrono::nanoseconds to_realtime{0};

  ~Impl() {
    if (file != nullptr) pcap_dump_close(file);
    if (format != nullptr) pcap_close(format);
  }
};

Setup<std::unique_ptr<PacketCapture>> PacketCapture::open(const std::string& path) {
  auto impl = std::make_unique<Impl>();
  impl->format = pcap_open_dead_with_tstamp_precision(DLT_RAW, kSnapshotBytes, PCAP_TSTAMP_PRECISION_NANO);
  if (impl->format == nullptr) return tl::unexpected(setup_error("Cannot write packet captures", ENOMEM));
  impl->file = pcap_dump_open(impl->format, path.c_str());
  if (impl->file == nullptr) {
    return tl::unexpected(
        SetupError{fmt::format("Cannot write the packet capture {}: {}.", path, pcap_geterr(impl->format))});
  }
  timespec real{}, monotonic{};
  clock_gettime(CLOCK_REALTIME, &real);
  clock_gettime(CLOCK_MONOTONIC, &monotonic);
  impl->to_realtime = std::chrono::seconds(real.tv_sec - monotonic.tv_sec) +
                      std::chrono::nanoseconds(real.tv_nsec - monotonic.tv_nsec);
  return std::unique_ptr<PacketCapture>(new PacketCapture(std::move(impl)));
}

PacketCapture::PacketCapture(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PacketCapture::~PacketCapture() = default;

void PacketCapture::received(const wire::ReceivedPacket& packet, Time now) {
  write(packet.bytes.bytes(), now);
}

void PacketCapture::sent(const wire::OutgoingPacket& packet, Time now) {
  write(wire::flatten(packet, impl_->pool).bytes.bytes(), now);
}

void PacketCapture::write(std::span<const std::byte> bytes, Time now) {
  const auto stamp = now.time_since_epoch() + impl_->to_realtime;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(stamp);
  pcap_pkthdr header{};
  header.ts.tv_sec = seconds.count();
  header.ts.tv_usec = (stamp - seconds).count();  // nanoseconds, in a file of that precision
  header.caplen = static_cast<bpf_u_int32>(bytes.size());
  header.len = header.caplen;
  pcap_dump(reinterpret_cast<u_char*>(impl_->file), &header, reinterpret_cast<const u_char*>(bytes.data()));
  if (flush_at_ == kNever) flush_at_ = now + kFlushInterval;
}

void PacketCapture::flush() {
  pcap_dump_flush(impl_->file);
  flush_at_ = kNever;
}

}  // namespace braid::io
