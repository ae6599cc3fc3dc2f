#include <cerrno>

#include "host/host.h"

namespace braid::host {

int to_errno(Error error) {
  switch (error) {
    case Error::kNone:
      return 0;
    case Error::kInvalidHandle:
      return EBADF;
    case Error::kInvalidArgument:
      return EINVAL;
    case Error::kAddressInUse:
      return EADDRINUSE;
    case Error::kAddressNotAvailable:
      return EADDRNOTAVAIL;
    case Error::kNetworkUnreachable:
      return ENETUNREACH;
    case Error::kHostUnreachable:
      return EHOSTUNREACH;
    case Error::kRefused:
      return ECONNREFUSED;
    case Error::kReset:
      return ECONNRESET;
    case Error::kTimedOut:
      return ETIMEDOUT;
    case Error::kAborted:
      return ECONNABORTED;
    case Error::kNotConnected:
      return ENOTCONN;
    case Error::kWouldBlock:
      return EAGAIN;
    case Error::kBrokenPipe:
      return EPIPE;
    case Error::kNoResources:
      return ENOBUFS;
  }
  return EINVAL;
}

std::string_view to_string(Error error) {
  switch (error) {
    case Error::kNone:
      return "no error";
    case Error::kInvalidHandle:
      return "no such connection or listener";
    case Error::kInvalidArgument:
      return "invalid argument";
    case Error::kAddressInUse:
      return "address already in use";
    case Error::kAddressNotAvailable:
      return "not an address of this host, or no port left";
    case Error::kNetworkUnreachable:
      return "no interface has a route there";
    case Error::kHostUnreachable:
      return "host unreachable";
    case Error::kRefused:
      return "connection refused";
    case Error::kReset:
      return "connection reset by peer";
    case Error::kTimedOut:
      return "connection timed out";
    case Error::kAborted:
      return "connection aborted";
    case Error::kNotConnected:
      return "not connected";
    case Error::kWouldBlock:
      return "would block";
    case Error::kBrokenPipe:
      return "sending was shut down";
    case Error::kNoResources:
      return "too many connections";
  }
  return "unknown error";
}

Error to_error(mptcp::ConnectionError error) {
  switch (error) {
    case mptcp::ConnectionError::kNone:
      return Error::kNone;
    case mptcp::ConnectionError::kRefused:
      return Error::kRefused;
    case mptcp::ConnectionError::kReset:
      return Error::kReset;
    case mptcp::ConnectionError::kTimedOut:
      return Error::kTimedOut;
    case mptcp::ConnectionError::kUnreachable:
      return Error::kHostUnreachable;
    case mptcp::ConnectionError::kNetUnreachable:
      return Error::kNetworkUnreachable;
    case mptcp::ConnectionError::kAborted:
      return Error::kAborted;
  }
  return Error::kAborted;
}

}  // namespace braid::host
