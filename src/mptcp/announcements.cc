#include "mptcp/announcements.h"

#include <algorithm>

namespace braid::mptcp {

bool Announcements::announce(uint8_t id, const wire::IpAddress& address, uint16_t port, uint8_t version,
                             Time now) {
  std::erase_if(announcements_, [&](const Announcement& a) { return a.option.address_id == id; });
  if (announcements_.size() >= kMaxWaiting) return false;
  wire::AddAddr option;
  option.address_id = id;
  option.address = address;
  option.version = version;
  if (port != 0) option.port = port;
  announcements_.push_back({.option = option, .due = now});
  return true;
}

bool Announcements::withdraw(uint8_t id) {
  std::erase_if(announcements_, [&](const Announcement& a) { return a.option.address_id == id; });
  auto& ids = withdrawals_;
  if (std::find(ids.begin(), ids.end(), id) != ids.end()) return true;
  if (ids.size() >= kMaxWaiting) return false;
  ids.push_back(id);
  return true;
}

void Announcements::on_in_use(uint8_t id) { std::erase(withdrawals_, id); }

bool Announcements::echo(const wire::AddAddr& received) {
  wire::AddAddr option = received;
  option.is_echo = true;
  option.truncated_hmac = 0;
  if (std::find(echoes_.begin(), echoes_.end(), option) != echoes_.end()) return true;
  if (echoes_.size() >= kMaxWaiting) return false;
  echoes_.push_back(option);
  return true;
}

void Announcements::on_echo(uint8_t id) {
  std::erase_if(announcements_, [&](const Announcement& a) { return a.option.address_id == id; });
}

bool Announcements::is_due(Time now) const {
  return !echoes_.empty() || !withdrawals_.empty() || next_deadline() <= now;
}

Time Announcements::next_deadline() const {
  Time deadline = kNever;
  for (const Announcement& announcement : announcements_) deadline = earlier(deadline, announcement.due);
  return deadline;
}

std::optional<wire::MptcpOption> Announcements::poll(size_t space, Time now, Duration interval,
                                                     uint32_t attempts) {
  if (!echoes_.empty() && wire::encoded_size(echoes_.front()) <= space) {
    const wire::AddAddr option = echoes_.front();
    echoes_.erase(echoes_.begin());
    return option;
  }
  if (!withdrawals_.empty() && space >= 4) {
    wire::RemoveAddr option;
    auto& ids = withdrawals_;
    const size_t count = std::min(ids.size(), space - 3);
    for (size_t i = 0; i < count; ++i) option.address_ids.push_back(ids[i]);
    ids.erase(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count));
    return option;
  }
  for (Announcement& announcement : announcements_) {
    if (announcement.due > now || wire::encoded_size(announcement.option) > space) continue;
    const wire::AddAddr option = announcement.option;
    announcement.due = now + interval * (int64_t{1} << std::min<uint32_t>(announcement.sent, 16));
    if (++announcement.sent >= attempts) {
      // The last one is not waited for: an echo that still comes finds nothing, and does no harm.
      on_echo(option.address_id);
    }
    return option;
  }
  return std::nullopt;
}

}  // namespace braid::mptcp
