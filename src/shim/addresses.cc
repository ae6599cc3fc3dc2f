#include "shim/addresses.h"

#include <netinet/in.h>

#include <cerrno>
#include <cstring>

namespace braid::shim {

using service::SocketAddress;

int read_address(const sockaddr* address, socklen_t size, SocketAddress& out) {
  if (address == nullptr) return EFAULT;
  if (size < sizeof(address->sa_family)) return EINVAL;
  out = {};
  out.family = address->sa_family;
  if (address->sa_family == AF_UNSPEC && size < sizeof(sockaddr_in)) return 0;
  if (address->sa_family == AF_INET || address->sa_family == AF_UNSPEC) {
    if (size < sizeof(sockaddr_in)) return EINVAL;
    sockaddr_in in;
    memcpy(&in, address, sizeof(in));
    out.port = ntohs(in.sin_port);
    memcpy(out.bytes, &in.sin_addr, 4);
    return 0;
  }
  if (address->sa_family != AF_INET6) return EAFNOSUPPORT;
  constexpr socklen_t kShortest = 24;  // without sin6_scope_id (RFC 2133)
  if (size < kShortest) return EINVAL;
  sockaddr_in6 in{};
  memcpy(&in, address, size < sizeof(in) ? size : sizeof(in));
  out.port = ntohs(in.sin6_port);
  out.scope = in.sin6_scope_id;
  memcpy(out.bytes, &in.sin6_addr, 16);
  return 0;
}

void write_address(const SocketAddress& address, sockaddr* out, socklen_t* size) {
  if (size == nullptr) return;
  sockaddr_in6 in6{};
  sockaddr_in in{};
  const void* from = &in;
  socklen_t whole = sizeof(in);
  if (address.family == AF_INET6) {
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(address.port);
    in6.sin6_scope_id = address.scope;
    memcpy(&in6.sin6_addr, address.bytes, 16);
    from = &in6;
    whole = sizeof(in6);
  } else {
    in.sin_family = AF_INET;
    in.sin_port = htons(address.port);
    memcpy(&in.sin_addr, address.bytes, 4);
  }
  if (out != nullptr) memcpy(out, from, *size < whole ? *size : whole);
  *size = whole;
}

bool is_loopback(const SocketAddress& address) {
  static constexpr unsigned char kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  static constexpr unsigned char kLoopback[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  if (address.family == AF_INET) return address.bytes[0] == 127;
  if (address.family != AF_INET6) return false;
  if (memcmp(address.bytes, kMapped, sizeof(kMapped)) == 0) return address.bytes[12] == 127;
  return memcmp(address.bytes, kLoopback, sizeof(kLoopback)) == 0;
}

}  // namespace braid::shim
