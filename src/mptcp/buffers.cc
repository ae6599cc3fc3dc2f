// What the application has read, what the window says then, and what is held in memory.
#include "mptcp/connection_impl.h"

namespace braid::mptcp {

void Connection::Impl::on_read(uint64_t bytes) {
  if (bytes == 0) return;
  if (receiving.data.readable_bytes() == 0) receiving.is_readable_raised = false;
  // With several paths the peer keeps a round trip's worth free for the repair of a loss: unless there is
  // more than they use, it would never try the second.
  const uint64_t weight = subflows.size() > 1 ? 2 : 1;
  receiving.buffer.on_read(receiving.data.data_read(), weight * bytes, mss(), largest_srtt(), now);
  update_window();
}

/// Tells the peer of a window that has grown much: on every subflow after it was closed, since it may wait on
/// any of them; else on the one that is in use (Linux guidelines, 3.2).
void Connection::Impl::update_window() {
  const DataOffset next = receiving.data.data_rcv_nxt();
  if (!receiving.buffer.is_update_due(next, mss()) || receiving.is_fin_consumed) return;
  if (receiving.buffer.is_closed_to_peer(next, mss())) {
    ask_all_for_acks();
  } else {
    MptcpSubflow* subflow = find_subflow(receiving.last_subflow);
    if (subflow == nullptr || subflow->is_closed || !subflow->is_joined() || !subflow->is_synchronized())
      subflow = best_subflow(false);
    if (subflow != nullptr) ask_for_ack(*subflow);
  }
  env.wake(self);
}

/// Up to where the peer may send on any subflow, of what it was told on one.
uint64_t Connection::Impl::shared_window() const {
  if (!negotiation.is_multipath()) return 0;
  const DataOffset told = receiving.buffer.advertised() + receive_limit_slack();
  const DataOffset next = receiving.data.data_rcv_nxt();
  return told > next ? told - next : 0;
}

/// The window goes out scaled and rounded up: so much may come beyond the edge.
uint64_t Connection::Impl::receive_limit_slack() const {
  return subflows.empty() ? 0 : (uint64_t{1} << subflows.front()->window_scale()) - 1;
}

uint64_t Connection::Impl::memory_bytes() const {
  uint64_t bytes = sending.buffer.held_bytes() + receiving.data.held_bytes();
  for (const auto& subflow : subflows) bytes += subflow->receive_queue_bytes() + subflow->held.received_bytes;
  return bytes;
}

}  // namespace braid::mptcp
