#include "host/port_allocator.h"

#include <algorithm>

namespace braid::host {

PortAllocator::PortAllocator(RandomSource& random, uint16_t first, uint16_t last)
    : key_(SipHash::random_key(random)),
      first_(std::max<uint16_t>(std::min(first, last), 1)),
      count_(std::max<uint32_t>(std::max(first, last), first_) - first_ + 1) {
  for (uint32_t& counter : counters_) counter = static_cast<uint32_t>(random.below(count_));
}

uint64_t PortAllocator::offset(const wire::IpAddress& local, const wire::Endpoint& remote) const {
  SipHash sip(key_);
  sip.add(local.bytes());
  sip.add(remote.address.bytes());
  sip.add16(remote.port);
  return sip.finish();
}

}  // namespace braid::host
