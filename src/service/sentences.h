// What connections decide, in plain sentences: `braid why`, `braid events`, `braid monitor`.
#pragma once

#include <string>
#include <string_view>

#include "mptcp/connection.h"
#include "mptcp/decision.h"

namespace braid::service {

/// One sentence or two, without the time and without the connection's name: "Path 1 (198.51.100.1 ->
/// 203.0.113.2:443) is up.". Addresses are the host's first.
std::string sentence(const mptcp::Decision& decision);

/// Half a sentence that goes after "plain TCP, since ": what the reason means.
std::string_view meaning_of(mptcp::FallbackReason reason);
std::string_view meaning_of(mptcp::SubflowEnd end);
std::string_view meaning_of(mptcp::ConnectionError error);
std::string_view meaning_of(wire::ResetReason reason);

/// "999 bytes", "1.2 kB", "34 MB": three digits at most, decimal units.
std::string bytes_text(uint64_t bytes);
/// "0.05 ms", "12 ms", "1.25 s", "3 min 20 s", "2 h 5 min".
std::string duration_text(Duration duration);

}  // namespace braid::service
