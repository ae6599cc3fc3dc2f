#include "sim/middlebox/splitter.h"

#include "wire/segmentation.h"

namespace braid::sim {

void Splitter::on_packet(Direction direction, Packet packet, MiddleboxOutput& output, Time /*now*/) {
  packet.gso_size = static_cast<uint16_t>(most_payload_bytes_);
  size_t pieces = 0;
  wire::cut_packet(packet, output.pool(), [&](Packet piece) {
    piece.gso_size = 0;
    ++pieces;
    output.emit(direction, std::move(piece));
  });
  if (pieces > 1) {
    ++totals_.changed;
    totals_.made += pieces - 1;
  } else {
    ++totals_.passed;
  }
}

}  // namespace braid::sim
