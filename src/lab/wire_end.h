// A host's end of a link: a TUN device in the host's namespace, seen from outside.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "base/chunk.h"
#include "io/file_descriptor.h"
#include "lab/namespaces.h"
#include "sim/packet.h"

namespace braid::lab {

class WireEnd {
 public:
  /// The device is down, and goes with this object.
  static tl::expected<std::unique_ptr<WireEnd>, std::string> open(const Namespaces& namespaces, size_t host,
                                                                  const std::string& name);

  int descriptor() const { return fd_.get(); }
  const std::string& name() const { return name_; }
  /// A packet that the host sent; nothing: no more now.
  std::optional<sim::Packet> receive(ChunkPool& pool);
  /// A packet for the host. What the device refuses is lost, and counted.
  void send(const sim::Packet& packet);
  void set_carrier(bool is_up);
  uint64_t refused() const { return refused_; }

 private:
  WireEnd(io::FileDescriptor fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}

  io::FileDescriptor fd_;
  std::string name_;
  uint64_t refused_ = 0;
  std::array<std::byte, 65536> buffer_;
};

}  // namespace braid::lab
