// What a scenario's events ask of a Braid host, through its daemon's control socket.
#pragma once

#include <string>
#include <tl/expected.hpp>

#include "scenario/scenario.h"

namespace braid::lab {

/// The scheduler, the congestion control, or both, of all connections that are open.
tl::expected<void, std::string> change_policy(const std::string& socket_path,
                                              const scenario::EventSpec& event);

/// The paths from that address become backup, or regular again.
tl::expected<void, std::string> change_endpoint(const std::string& socket_path, const std::string& address,
                                                bool is_backup);

}  // namespace braid::lab
