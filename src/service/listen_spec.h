// What a listening relay is to do: [[listen]] of the configuration, --listen of the command line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "wire/address.h"

namespace braid::service {

struct ListenSpec {
  wire::Endpoint local;   // address unspecified: all of Braid's, both families
  wire::Endpoint target;  // the service, over the kernel's TCP
  /// The PROXY protocol's header, version 2, in front of the client's bytes: tells the service who the client
  /// is.
  bool sends_proxy_header = false;
  /// Relayed at once; more wait in the listener's queue, and then in the clients' SYNs.
  uint32_t max_connections = 10'000;

  std::string to_string() const;
};

/// "443" (to the same port of the loopback address), "443=8443", "443=127.0.0.1:8443",
/// "192.0.2.1:443=[::1]:8443";
/// ",proxy" at the end for the PROXY protocol. The error is for people.
tl::expected<ListenSpec, std::string> parse_listen(std::string_view text);

/// The header for a connection from `source` to `destination`, one family each (HAProxy's "The PROXY
/// protocol", 2.2).
std::string proxy_header(const wire::Endpoint& source, const wire::Endpoint& destination);

}  // namespace braid::service
