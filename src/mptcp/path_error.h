// Why a command about paths was refused.
#pragma once

#include <cstdint>
#include <string_view>

namespace braid::mptcp {

enum class PathError : uint8_t {
  kNone,
  kNotMultipath,   // the connection is plain TCP, not proved yet, or over
  kNoRoom,         // as many subflows as max_subflows has
  kFamilies,       // IPv4 at one end and IPv6 at the other
  kNotOurAddress,  // the host does not have it now
  kNoRoute,
  kInUse,  // there is such a subflow, or the ID is another address's
  kNoPort,
  kNoSuchSubflow,
  kNoSuchAddress,  // neither announced nor used
  kNoAddressId,    // all 255 are taken
  kTooManyAnnounced,
};
/// A sentence's end, for people.
std::string_view to_string(PathError error);

}  // namespace braid::mptcp
