// The control protocol's "uplinks": what the daemon uses of the machine's devices, and what it does not.
#pragma once

#include <nlohmann/json.hpp>

#include "io/network.h"

namespace braid::service {

nlohmann::json report_uplinks(io::Network& network);

}  // namespace braid::service
