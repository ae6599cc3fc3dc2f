// What a scenario says before its line of dashes.
#pragma once

#include <string>

#include "host/host.h"
#include "segments/language/peer.h"
#include "segments/language/script.h"

namespace braid::segments {

struct Settings {
  PeerConfig peer;
  host::HostConfig host;
  int paths = 1;  // interfaces with one address each
  uint32_t mtu = 1500;
  std::optional<uint64_t> local_key;
  Duration tolerance = std::chrono::milliseconds(1);
};

/// ScriptError for a setting that does not exist.
Settings read_settings(const Script& script);

/// One of the settings of a connection, as "NAME VALUE"; false if it has none of that name.
bool set_connection_option(mptcp::ConnectionConfig& config, const std::string& name,
                           const std::string& value);

/// "2 subflow backup id 3 port 8080": the endpoint at our address number 2.
mptcp::PathEndpoint parse_endpoint(const std::string& text, const Peer& peer);

}  // namespace braid::segments
