#include "mptcp/fast_open_memory.h"

#include <algorithm>
#include <utility>

namespace braid::mptcp {

FastOpenMemory::Advice FastOpenMemory::advice(const wire::IpAddress& local, const wire::Endpoint& remote,
                                              Time now) const {
  const auto found = index_.find({local, remote});
  if (found == index_.end()) return {};
  const Entry& entry = *found->second;
  return {.may_ask = now >= entry.silent_until, .cookie = entry.cookie, .mss = entry.mss};
}

void FastOpenMemory::on_cookie(const wire::IpAddress& local, const wire::Endpoint& remote,
                               const wire::FastOpenCookie& cookie, uint16_t mss) {
  Entry& entry = touch({local, remote});
  entry.cookie = cookie;
  entry.has_lost_request = false;
  entry.mss = mss;
}

void FastOpenMemory::on_taken(const wire::IpAddress& local, const wire::Endpoint& remote) {
  Entry& entry = touch({local, remote});
  entry.failures = 0;
  entry.silent_until = {};
}

void FastOpenMemory::on_failed(const wire::IpAddress& local, const wire::Endpoint& remote, Time now) {
  Entry& entry = touch({local, remote});
  const uint32_t doublings = std::min<uint32_t>(entry.failures++, 20);
  entry.silent_until =
      now + std::min<Duration>(config_.first_silence * (int64_t{1} << doublings), config_.longest_silence);
}

void FastOpenMemory::on_request_lost(const wire::IpAddress& local, const wire::Endpoint& remote, Time now) {
  if (std::exchange(touch({local, remote}).has_lost_request, true)) on_failed(local, remote, now);
}

FastOpenMemory::Entry& FastOpenMemory::touch(const Key& key) {
  const auto [at, is_new] = index_.try_emplace(key, entries_.end());
  if (!is_new) {
    entries_.splice(entries_.begin(), entries_, at->second);
    return entries_.front();
  }
  entries_.push_front({.key = key});
  at->second = entries_.begin();
  if (entries_.size() > config_.capacity) {
    index_.erase(entries_.back().key);
    entries_.pop_back();
  }
  return entries_.front();
}

}  // namespace braid::mptcp
