// wire::Endpoint from and to the protocol's SocketAddress and the kernel's sockaddr.
#pragma once

#include <sys/socket.h>

#include <optional>

#include "service/socket_protocol.h"
#include "wire/address.h"

namespace braid::service {

/// An IPv4-mapped IPv6 address becomes IPv4. Nothing for another family than IPv4 and IPv6.
std::optional<wire::Endpoint> to_endpoint(const SocketAddress& address);

/// As a socket of this family shows it: IPv4 on an IPv6 socket is mapped (RFC 4291, 2.5.5.2).
SocketAddress to_socket_address(const wire::Endpoint& endpoint, bool is_ipv6_socket);

/// From what accept(), getsockname() or getpeername() of a kernel socket gave.
SocketAddress to_socket_address(const sockaddr_storage& address);

}  // namespace braid::service
