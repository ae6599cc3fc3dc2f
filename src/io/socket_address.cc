#include "io/socket_address.h"

#include <netinet/in.h>

#include <array>
#include <cstring>

namespace braid::io {

KernelAddress to_kernel_address(const wire::Endpoint& endpoint) {
  KernelAddress made;
  if (endpoint.address.is_v4()) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(made.storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(endpoint.port);
    std::memcpy(&v4.sin_addr, endpoint.address.bytes().data(), sizeof(v4.sin_addr));
    made.size = sizeof(v4);
    return made;
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(made.storage);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(endpoint.port);
  std::memcpy(&v6.sin6_addr, endpoint.address.bytes().data(), sizeof(v6.sin6_addr));
  made.size = sizeof(v6);
  return made;
}

std::optional<wire::Endpoint> to_endpoint(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    return wire::Endpoint{wire::IpAddress::v4(ntohl(v4.sin_addr.s_addr)), ntohs(v4.sin_port)};
  }
  if (address.ss_family != AF_INET6) return std::nullopt;
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  std::array<uint8_t, 16> bytes;
  std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
  return wire::Endpoint{wire::IpAddress::v6(bytes), ntohs(v6.sin6_port)};
}

}  // namespace braid::io
