#include "service/address_conversion.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

namespace braid::service {

namespace {
constexpr std::array<uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

wire::IpAddress v4_at(const uint8_t* bytes) {
  return wire::IpAddress::v4(uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 |
                             bytes[3]);
}
}  // namespace

std::optional<wire::Endpoint> to_endpoint(const SocketAddress& address) {
  if (address.family == AF_INET) return wire::Endpoint{v4_at(address.bytes), address.port};
  if (address.family != AF_INET6) return std::nullopt;
  if (std::ranges::equal(kMappedPrefix, std::span(address.bytes).first<12>())) {
    return wire::Endpoint{v4_at(address.bytes + 12), address.port};
  }
  return wire::Endpoint{wire::IpAddress::v6(std::to_array(address.bytes)), address.port};
}

SocketAddress to_socket_address(const wire::Endpoint& endpoint, bool is_ipv6_socket) {
  SocketAddress out;
  out.port = endpoint.port;
  const auto& bytes = endpoint.address.bytes();
  if (endpoint.address.is_v6() || !is_ipv6_socket) {
    out.family = endpoint.address.is_v6() ? AF_INET6 : AF_INET;
    std::copy_n(bytes.begin(), endpoint.address.size(), out.bytes);
    return out;
  }
  out.family = AF_INET6;
  if (endpoint.address.is_unspecified()) return out;
  std::ranges::copy(kMappedPrefix, out.bytes);
  std::copy_n(bytes.begin(), 4, out.bytes + 12);
  return out;
}

SocketAddress to_socket_address(const sockaddr_storage& address) {
  SocketAddress out;
  out.family = address.ss_family;
  if (address.ss_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, &address, sizeof(in));
    out.port = ntohs(in.sin_port);
    std::memcpy(out.bytes, &in.sin_addr, 4);
  } else if (address.ss_family == AF_INET6) {
    sockaddr_in6 in;
    std::memcpy(&in, &address, sizeof(in));
    out.port = ntohs(in.sin6_port);
    out.scope = in.sin6_scope_id;
    std::memcpy(out.bytes, &in.sin6_addr, 16);
  }
  return out;
}

}  // namespace braid::service
