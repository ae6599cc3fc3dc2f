// Braid sockets as this process sees them: recognising a descriptor, making one, replacing what is behind it.
#pragma once

#include <sys/socket.h>

#include <cstdint>

#include "service/socket_protocol.h"

namespace braid::shim {

using service::SocketName;

/// Whether the descriptor is a Braid socket, and which. One system call, right whatever was done with the
/// descriptor before. Leaves errno alone.
bool identify(int fd, SocketName& name);

/// A new Braid socket; `type` with SOCK_NONBLOCK and SOCK_CLOEXEC as socket() has them. -1: errno says why.
int create(int family, int type, int protocol);

/// Puts a kernel socket with the same options in the place of the Braid socket: same number, flags,
/// timeouts and epoll registrations. False: errno says why.
bool turn_into_kernel_socket(int fd, const SocketName& name);

/// connect() to send data with (MSG_FASTOPEN): where a cookie is known they go on the SYN. For a Braid
/// socket.
int connect_with_data(int fd, const sockaddr* address, socklen_t size);

/// Gives the descriptor a fresh pair, for a connect() after a failed one. The new name is in `name`.
bool give_new_pair(int fd, SocketName& name);

/// The outcome of the daemon's last word on a connection, for a read that says "end of stream" or
/// ECONNRESET: 0 for an orderly end, or the errno that TCP would give.
int end_of_stream_error(int fd);

}  // namespace braid::shim
