#include "tcp/subflow.h"

namespace braid::tcp {

std::optional<wire::OutgoingSegment> reset_for(const wire::TcpSegment& segment) {
  if (segment.flags.rst) return std::nullopt;
  wire::OutgoingSegment out;
  out.tuple = segment.tuple;
  out.flags.rst = true;
  if (segment.flags.ack) {
    out.seq = segment.ack;
  } else {
    out.ack = segment.seq + segment.sequence_length();
    out.flags.ack = true;
  }
  return out;
}

}  // namespace braid::tcp
