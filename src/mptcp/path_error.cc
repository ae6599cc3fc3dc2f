#include "mptcp/path_error.h"

namespace braid::mptcp {

std::string_view to_string(PathError error) {
  switch (error) {
    case PathError::kNone:
      return "done";
    case PathError::kNotMultipath:
      return "the connection is not Multipath TCP at both ends (yet, or any more)";
    case PathError::kNoRoom:
      return "the connection has as many subflows as max_subflows allows";
    case PathError::kFamilies:
      return "one address is IPv4 and the other IPv6";
    case PathError::kNotOurAddress:
      return "this host does not have that address";
    case PathError::kNoRoute:
      return "there is no route from that address";
    case PathError::kInUse:
      return "that is in use by this connection already";
    case PathError::kNoPort:
      return "no local port is left";
    case PathError::kNoSuchSubflow:
      return "the connection has no such subflow";
    case PathError::kNoSuchAddress:
      return "the connection neither announced nor uses an address with that ID";
    case PathError::kNoAddressId:
      return "all address IDs are taken";
    case PathError::kTooManyAnnounced:
      return "too many announcements wait for the peer's echo; withdraw some, or try again later";
  }
  return "?";
}

}  // namespace braid::mptcp
