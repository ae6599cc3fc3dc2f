// The process's connection to the daemon: one, opened when first needed, opened again after fork() or when
// the program closed it under our feet.
#pragma once

#include <cstdint>

#include "service/socket_protocol.h"

namespace braid::shim {

using service::Reply;
using service::Request;

/// Descriptors that go with a request: the program's end of the socket it is about, and what it needs
/// besides.
struct Enclosed {
  int socket = -1;
  int other = -1;
};

/// Sends the request and waits for the reply. `value` (request.value_size bytes) goes with it; what the reply
/// carries goes to `reply_value` (kMaxValue bytes of room), if wanted.
/// False: there is no daemon to talk to, errno says ENETDOWN.
/// Safe in several threads and in signal handlers.
bool call(const Request& request, const void* value, const Enclosed& enclosed, Reply& reply,
          void* reply_value = nullptr);

/// Sends a request with kNoReply.
bool notify(const Request& request, const void* value, const Enclosed& enclosed);

/// The identifier of the daemon; opens the connection if need be. False: as above.
bool daemon_id(uint64_t& id);

/// Says on standard error, once, that there is no daemon.
void complain();

}  // namespace braid::shim
