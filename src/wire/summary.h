// A segment in one line, for people: event logs and errors.
#pragma once

#include <string>

#include "wire/tcp_segment.h"

namespace braid::wire {

/// "SYN/ACK from 192.0.2.2:80, seq 17, ack 4711, 0 octets, MP_CAPABLE": with the numbers as on the wire, so
/// that it is found in a capture.
std::string summary(const TcpSegment& segment);

}  // namespace braid::wire
