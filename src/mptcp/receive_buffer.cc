#include "mptcp/receive_buffer.h"

namespace braid::mptcp {

void ReceiveBuffer::on_read(DataOffset read, uint64_t bytes, uint64_t mss, Duration rtt, Time now) {
  interval_bytes_ += bytes;
  if (is_autotuned_ && rtt > Duration(0) && now - interval_began_ >= rtt) tune(mss, rtt, now);
  raise_edge(read, mss);
}

void ReceiveBuffer::on_held(DataOffset read, uint64_t out_of_order_bytes, uint64_t mss) {
  if (!is_autotuned_ || size_bytes_ >= ceiling_bytes_ || 2 * out_of_order_bytes <= size_bytes_) return;
  size_bytes_ = std::min(2 * out_of_order_bytes, ceiling_bytes_);
  raise_edge(read, mss);
}

void ReceiveBuffer::set_size(uint64_t bytes, DataOffset read, uint64_t mss) {
  is_autotuned_ = false;
  size_bytes_ = bytes;
  raise_edge(read, mss);
}

void ReceiveBuffer::raise_edge(DataOffset read, uint64_t mss) {
  // Silly windows are avoided here: the edge moves in steps (RFC 9293, 3.8.6.2.2).
  const DataOffset wanted = read + size_bytes_;
  if (wanted > edge_ && wanted - edge_ >= std::min(size_bytes_ / 2, mss)) edge_ = wanted;
}

void ReceiveBuffer::tune(uint64_t mss, Duration rtt, Time now) {
  // An interval much longer than a round trip measured an idle sender.
  const uint64_t taken = now - interval_began_ < 4 * rtt ? interval_bytes_ : 0;
  if (taken > most_bytes_) {
    // Twice what was taken, so the sender's window may double; and ahead of it while it does.
    uint64_t wanted = 2 * taken + 16 * mss;
    if (most_bytes_ > 0) {
      const double growth = static_cast<double>(taken - most_bytes_) / static_cast<double>(most_bytes_);
      wanted += static_cast<uint64_t>(2 * static_cast<double>(wanted) * std::min(growth, 1.0));
    }
    most_bytes_ = taken;
    size_bytes_ = std::max(size_bytes_, std::min(wanted, ceiling_bytes_));
  }
  interval_bytes_ = 0;
  interval_began_ = now;
}

}  // namespace braid::mptcp
