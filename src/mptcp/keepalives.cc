// Idle paths: with several, each is asked now and then whether it is alive, so that a dead one is replaced
// before it is needed. The only one is left alone, but for what the application asked for (SO_KEEPALIVE): to
// end it would end the connection.
#include <algorithm>

#include "mptcp/connection_impl.h"

namespace braid::mptcp {

void Connection::Impl::update_keepalives() {
  const auto paths = std::ranges::count_if(
      subflows, [](const auto& s) { return !s->is_closed && s->is_joined() && s->is_synchronized(); });
  for (const auto& subflow : subflows)
    if (!subflow->is_closed) update_keepalive(*subflow, paths > 1);
}

void Connection::Impl::update_keepalive(MptcpSubflow& subflow, bool has_siblings) {
  const std::optional<Duration> asked = config.subflow.keepalive_idle;
  const bool is_wanted = has_siblings && subflow.is_joined() && negotiation.is_multipath() &&
                         config.path_keepalive > Duration{0} && (!asked || *asked > config.path_keepalive);
  if (is_wanted == subflow.has_path_keepalive) return;
  subflow.has_path_keepalive = is_wanted;
  if (is_wanted)
    subflow.set_keepalive(config.path_keepalive, config.path_keepalive_interval,
                          config.path_keepalive_attempts, now);
  else
    subflow.set_keepalive(asked, config.subflow.keepalive_interval, config.subflow.keepalive_attempts, now);
}

}  // namespace braid::mptcp
