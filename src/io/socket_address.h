// Endpoints as the kernel's calls want them.
#pragma once

#include <sys/socket.h>

#include <optional>

#include "wire/address.h"

namespace braid::io {

struct KernelAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};
KernelAddress to_kernel_address(const wire::Endpoint& endpoint);
/// Nothing for another family than IPv4 and IPv6.
std::optional<wire::Endpoint> to_endpoint(const sockaddr_storage& address);

}  // namespace braid::io
