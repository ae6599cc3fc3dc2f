#include "mptcp/peer_memory.h"

#include <algorithm>

namespace braid::mptcp {

PeerMemory::Advice PeerMemory::advice(const wire::Endpoint& remote, Time now) const {
  Advice advice;
  const auto found = index_.find(remote);
  if (found == index_.end()) return advice;
  const Entry& entry = *found->second;
  if (now < entry.version_until) advice.version = entry.version;
  if (entry.strikes > 0) advice.attempts = 1;
  advice.may_offer = now >= entry.silent_until;
  return advice;
}

void PeerMemory::on_multipath(const wire::Endpoint& remote, Version version, Time now) {
  // The newest version without a strike is what is assumed of strangers too.
  if (version == Version::kV1) return forget(remote);
  Entry& entry = touch(remote);
  entry.strikes = 0;
  entry.silent_until = {};
  entry.version = version;
  entry.version_until = now + config_.version_kept;
}

void PeerMemory::on_plain(const wire::Endpoint& remote) { forget(remote); }

void PeerMemory::on_syn_dropped(const wire::Endpoint& remote, Time now) {
  Entry& entry = touch(remote);
  ++entry.strikes;
  if (entry.strikes < config_.strikes) return;
  const uint32_t doublings = std::min<uint32_t>(entry.strikes - config_.strikes, 20);
  entry.silent_until =
      now + std::min<Duration>(config_.first_silence * (int64_t{1} << doublings), config_.longest_silence);
}

std::vector<PeerMemory::Entry> PeerMemory::entries() const { return {entries_.begin(), entries_.end()}; }

void PeerMemory::clear() {
  index_.clear();
  entries_.clear();
}

PeerMemory::Entry& PeerMemory::touch(const wire::Endpoint& remote) {
  const auto [at, is_new] = index_.try_emplace(remote, entries_.end());
  if (!is_new) {
    entries_.splice(entries_.begin(), entries_, at->second);
    return entries_.front();
  }
  entries_.push_front({.remote = remote});
  at->second = entries_.begin();
  if (entries_.size() > config_.capacity) {
    index_.erase(entries_.back().remote);
    entries_.pop_back();
  }
  return entries_.front();
}

void PeerMemory::forget(const wire::Endpoint& remote) {
  const auto found = index_.find(remote);
  if (found == index_.end()) return;
  entries_.erase(found->second);
  index_.erase(found);
}

}  // namespace braid::mptcp
