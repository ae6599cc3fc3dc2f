// TCP_INFO of a connection: its first subflow's figures, and the connection's own byte counts.
#pragma once

#include <cstddef>
#include <vector>

#include "mptcp/connection.h"
#include "service/app_socket.h"

namespace braid::service {

/// The bytes of a struct tcp_info. `connection`: null for none.
std::vector<std::byte> tcp_info_of(const mptcp::Connection* connection, AppSocket::State state);

}  // namespace braid::service
