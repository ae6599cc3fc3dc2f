// What a listener makes of a SYN before there is a connection: also asked where none is kept (SYN cookies).
#pragma once

#include <optional>

#include "mptcp/connection.h"

namespace braid::mptcp {

/// Why the peer's offer leads to plain TCP (RFC 8684, 3.1); nothing if it is a good one.
std::optional<FallbackReason> reason_to_decline(const ConnectionConfig& config, const wire::TcpOptions& syn);

/// The settings of a subflow over `tuple`, with the MSS that an MTU of `mtu` (0: unknown) leaves and a window
/// scale that the receive buffer needs.
tcp::SubflowConfig subflow_config(const ConnectionConfig& config, const wire::FourTuple& tuple, uint32_t mtu);

}  // namespace braid::mptcp
