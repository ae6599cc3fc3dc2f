// When further paths are worth it: short connections are over before a second path could help, and should not
// pay for one (Linux guidelines, B.1). What was measured is in docs/path-managers.md.
#include <algorithm>

#include "mptcp/connection_impl.h"

namespace braid::mptcp {

void Connection::Impl::start_open_paths() {
  const OpenPaths& rules = config.open_paths;
  const uint16_t port = negotiation.is_server ? local.port : remote.port;
  const bool is_at_once =
      rules.after_bytes == 0 || std::ranges::find(rules.at_once_ports, port) != rules.at_once_ports.end();
  if (is_at_once) are_paths_due = true;
  check_paths_due();
  if (!are_paths_due) timer(ConnectionTimer::kOpenPaths) = opened + rules.after_age;
}

/// Cheap: it is asked for every piece of data until the answer is yes.
void Connection::Impl::check_paths_due() {
  if (are_paths_due || path_manager == nullptr) return;
  const OpenPaths& rules = config.open_paths;
  // What is written counts, sent or not: it is the best hint of how much there will be.
  const uint64_t written = sending.buffer.end() - DataOffset(1);
  const uint64_t received = receiving.data.data_rcv_nxt() - DataOffset(1);
  if (written >= rules.after_bytes || received >= rules.after_bytes) return make_paths_due();
  if (!rules.after_slow_start) return;
  const MptcpSubflow* first = initial();
  // Out of slow start by a loss, or by what the congestion control knows: the path is full.
  if (first != nullptr && !first->recovery().congestion_control().in_slow_start()) make_paths_due();
}

void Connection::Impl::make_paths_due() {
  if (are_paths_due) return;
  are_paths_due = true;
  timer(ConnectionTimer::kOpenPaths) = kNever;
  if (path_manager == nullptr || closing.is_over || closing.are_subflows_closing) return;
  path_manager->on_paths_due(now);
  is_another_round_due = true;
  env.wake(self);
}

}  // namespace braid::mptcp
