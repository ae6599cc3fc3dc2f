#include "scenario/host_addresses.h"

#include <algorithm>

#include "base/check.h"

namespace braid::scenario {

void HostAddresses::add(std::string link, host::InterfaceId interface, const host::AddressConfig& address,
                        bool is_there, Time now) {
  Entry& made = entries_.emplace_back();
  made.link = std::move(link);
  made.interface = interface;
  made.address = address;
  made.is_there = is_there;
  make_endpoint(made, now);
}

HostAddresses::Entry& HostAddresses::entry(const std::string& link) {
  const auto found = std::ranges::find(entries_, link, &Entry::link);
  BRAID_CHECK(found != entries_.end());  // seen to when the file was read
  return *found;
}

void HostAddresses::make_endpoint(Entry& entry, Time now) {
  if (!entry.is_there || entry.endpoint != 0) return;
  mptcp::PathEndpoint endpoint;
  endpoint.address = entry.address.address;
  endpoint.is_subflow = use_.is_subflow;
  endpoint.is_signal = use_.is_signal;
  endpoint.is_backup = entry.is_backup;
  entry.endpoint = node_.host().add_endpoint(endpoint, now).value_or(0);
}

void HostAddresses::take_away(const std::string& link, Time now) {
  Entry& one = entry(link);
  one.is_there = false;
  if (one.endpoint != 0) node_.host().remove_endpoint(one.endpoint, now);
  one.endpoint = 0;
  node_.host().remove_address(one.interface, one.address.address, now);
  node_.settle(now);
}

void HostAddresses::put_back(const std::string& link, Time now) {
  Entry& one = entry(link);
  one.is_there = true;
  node_.host().add_address(one.interface, one.address, now);
  make_endpoint(one, now);
  node_.settle(now);
}

void HostAddresses::set_backup(const std::string& link, bool is_backup, Time now) {
  Entry& one = entry(link);
  one.is_backup = is_backup;
  if (one.endpoint != 0) node_.host().change_endpoint(one.endpoint, is_backup, false, now);
  node_.settle(now);
}

void HostAddresses::on_restart(Time now) {
  for (Entry& one : entries_) {
    one.endpoint = 0;
    // It begins with what it had at first.
    if (one.is_there) {
      node_.host().add_address(one.interface, one.address, now);
    } else {
      node_.host().remove_address(one.interface, one.address.address, now);
    }
    make_endpoint(one, now);
  }
}

}  // namespace braid::scenario
