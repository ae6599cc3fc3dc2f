// What this process has learned about Braid sockets and never changes: saves a question to the daemon. Keyed
// by the socket's identifier, so it can't be wrong about a descriptor; bounded, so it may have forgotten.
#pragma once

#include <cstdint>

#include "service/socket_protocol.h"

namespace braid::shim {

struct KnownSocket {
  uint64_t socket = 0;
  uint32_t flags = 0;  // kIsListening, kIsConnected, kIsIpv6 ...
  service::SocketAddress local;
  service::SocketAddress remote;
};

void remember(const KnownSocket& known);
bool recall(uint64_t socket, KnownSocket& known);
void forget(uint64_t socket);

}  // namespace braid::shim
