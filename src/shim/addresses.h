// sockaddr from and to the protocol's SocketAddress.
#pragma once

#include <sys/socket.h>

#include "service/socket_protocol.h"

namespace braid::shim {

/// 0, or the errno that the kernel gives for such a sockaddr: EINVAL for a short one, EAFNOSUPPORT for a
/// family that is not AF_INET, AF_INET6 or AF_UNSPEC.
int read_address(const sockaddr* address, socklen_t size, service::SocketAddress& out);

/// As much as there is room for; *size becomes the whole length (accept(2)). Null pointers are fine.
void write_address(const service::SocketAddress& address, sockaddr* out, socklen_t* size);

/// 127.0.0.0/8, ::1 and its mapped form.
bool is_loopback(const service::SocketAddress& address);

}  // namespace braid::shim
