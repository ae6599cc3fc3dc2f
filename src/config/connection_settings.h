// The settings of connections, as a daemon's [connection] and a scenario's hosts have them.
#pragma once

#include "config/toml_reader.h"
#include "mptcp/connection.h"

namespace braid::config {

/// Keys that are not there leave their setting alone. refuse_others() is the caller's.
void read_connection(TomlTable& table, mptcp::ConnectionConfig& connection);

}  // namespace braid::config
