// Ephemeral ports: the double-hash selection of RFC 6056, 3.3.4 (algorithm 4): hard to guess from outside,
// yet each destination gets a sequence of its own, so a port comes again only after all the others.
#pragma once

#include <array>
#include <cstdint>

#include "base/siphash.h"
#include "wire/address.h"

namespace braid::host {

class PortAllocator {
 public:
  /// The range is first..last, both included.
  PortAllocator(RandomSource& random, uint16_t first, uint16_t last);

  /// The next port for the pair that `is_free` agrees to; 0 if there is none.
  template <class IsFree>
  uint16_t allocate(const wire::IpAddress& local, const wire::Endpoint& remote, IsFree&& is_free) {
    const uint64_t hash = offset(local, remote);
    uint32_t& counter = counters_[(hash >> 32) % counters_.size()];
    for (uint32_t tried = 0; tried < count_; ++tried) {
      const auto port =
          static_cast<uint16_t>(first_ + (static_cast<uint32_t>(hash) % count_ + counter) % count_);
      counter = (counter + 1) % count_;
      if (is_free(port)) return port;
    }
    return 0;
  }

 private:
  uint64_t offset(const wire::IpAddress& local, const wire::Endpoint& remote) const;

  SipHash::Key key_;
  uint32_t first_, count_;
  std::array<uint32_t, 64> counters_;
};

}  // namespace braid::host
