// ADD_ADDR, REMOVE_ADDR (RFC 8684, 3.4) and MP_PRIO (3.3.8).
#include <algorithm>

#include "mptcp/connection_impl.h"

namespace braid::mptcp {

void Connection::Impl::on_add_addr(const wire::AddAddr& option) {
  if (option.is_echo) {
    counters().add(Counter::kEchoAddRx);
    announcements.on_echo(option.address_id);
    schedule_announcements();
    return;
  }
  counters().add(Counter::kAddAddrRx);
  if (!is_authentic(option)) {
    counters().add(Counter::kAddAddrBadHmac);
    return;
  }
  establish();
  if (is_logged())
    log({.kind = Decision::Kind::kAddressLearned,
         .amount = option.address_id,
         .address = option.address,
         .port = option.port.value_or(0)});
  if (negotiation.version > Version::kV0 && !announcements.echo(option)) {
    counters().add(Counter::kAddAddrDrop);
    return;
  }
  if (path_manager != nullptr)
    path_manager->on_add_addr(option.address_id, option.address, option.port.value_or(0), now);
  schedule_announcements();
}

/// Version 0 has nothing to tell by.
bool Connection::Impl::is_authentic(const wire::AddAddr& option) const {
  if (option.version != static_cast<uint8_t>(negotiation.version)) return false;
  return option.version == 0 ||
         option.truncated_hmac == add_addr_hmac(negotiation.remote.key, negotiation.local.key,
                                                option.address_id, option.address, option.port.value_or(0));
}

void Connection::Impl::on_remove_addr(const wire::RemoveAddr& option) {
  for (const uint8_t id : option.address_ids) {
    counters().add(Counter::kRmAddrRx);
    if (is_logged()) log({.kind = Decision::Kind::kAddressForgotten, .amount = id});
    if (path_manager != nullptr) path_manager->on_remove_addr(id, now);
    for (size_t i = 0; i < subflows.size(); ++i) {
      if (subflows[i]->remote_id == id && !subflows[i]->is_closed) close_subflow(subflows[i]->index);
    }
  }
}

void Connection::Impl::on_priority(MptcpSubflow& subflow, const wire::MpPrio& option) {
  counters().add(Counter::kMpPrioRx);
  const auto set = [&](MptcpSubflow& which) {
    which.is_backup_for_peer = option.backup;
    if (is_logged())
      log({.kind = Decision::Kind::kPriorityChanged, .why = "by the peer", .amount = option.backup}, which);
  };
  if (!option.address_id.has_value()) {
    set(subflow);
  } else {
    // RFC 6824's form speaks of an address, not of the subflow it comes on.
    for (const auto& other : subflows) {
      if (other->remote_id == *option.address_id) set(*other);
    }
  }
  is_another_round_due = true;
}

bool Connection::Impl::announce(uint8_t id, const wire::IpAddress& address, uint16_t port) {
  if (env.mtu_of(address) == 0) return false;
  if (!announcements.announce(id, address, port, static_cast<uint8_t>(negotiation.version), now)) {
    counters().add(Counter::kAddAddrTxDrop);
    return false;
  }
  if (is_logged()) log({.kind = Decision::Kind::kAddressAnnounced, .amount = id, .address = address});
  schedule_announcements();
  return true;
}

void Connection::Impl::withdraw(uint8_t id) {
  if (!announcements.withdraw(id)) {
    counters().add(Counter::kRmAddrDrop);
    return;
  }
  if (is_logged()) log({.kind = Decision::Kind::kAddressWithdrawn, .amount = id});
  schedule_announcements();
}

/// They travel on pure ACKs; one is asked for when something is due.
void Connection::Impl::schedule_announcements() {
  // What is due goes with the ACK asked for below; where no subflow can carry it, it is looked at again
  // later.
  const Time due = announcements.next_deadline();
  const Duration later = std::min(std::max<Duration>(largest_srtt(), 10ms), config.add_addr_interval);
  timer(ConnectionTimer::kAnnounce) = due > now ? due : now + later;
  if (negotiation.state != MultipathState::kEstablished || !announcements.is_due(now)) return;
  if (MptcpSubflow* subflow = best_subflow(false)) {
    ask_for_bare_ack(*subflow);
    env.wake(self);
  }
}

void Connection::Impl::set_backup(uint8_t index, bool is_backup) {
  MptcpSubflow* subflow = find_subflow(index);
  if (subflow == nullptr || subflow->is_closed || subflow->is_backup_for_us == is_backup) return;
  subflow->is_backup_for_us = is_backup;
  if (is_logged())
    log({.kind = Decision::Kind::kPriorityChanged, .why = "by us", .amount = is_backup}, *subflow);
  if (!subflow->is_joined()) return;
  subflow->is_priority_due = true;
  ask_for_bare_ack(*subflow);
  env.wake(self);
}

void Connection::Impl::close_subflow(uint8_t index, SubflowEnd why) {
  MptcpSubflow* subflow = find_subflow(index);
  if (subflow == nullptr || subflow->is_closed) return;
  subflow->end = why;
  subflow->is_close_due = true;
  is_settling_due = true;
  env.wake(self);
}

void Connection::Impl::on_local_address_removed(const wire::IpAddress& address) {
  bool was_in_use = false;
  uint8_t id = 0;
  for (size_t i = 0; i < subflows.size(); ++i) {
    MptcpSubflow& subflow = *subflows[i];
    if (subflow.is_closed || subflow.tuple().local.address != address) continue;
    subflow.end = SubflowEnd::kLocalAddressGone;
    id = subflow.local_id;
    was_in_use = was_in_use || subflow.was_up;
    subflow.drop(tcp::CloseReason::kTimedOut, now);
  }
  // The peer is told, on whatever subflow there is or will be.
  if (was_in_use && negotiation.state == MultipathState::kEstablished) {
    withdraw(id);
    if (id == 0) is_initial_address_withdrawn = true;
  }
  is_another_round_due = true;
  env.wake(self);
}

}  // namespace braid::mptcp
