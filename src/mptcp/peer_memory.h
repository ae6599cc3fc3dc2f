// What is remembered of destinations from one connection to the next: whether a network on the way drops SYNs
// with MP_CAPABLE (6 % to 14 % of networks take the option off, some drop the packet: NSDI 2012, 3.1), and
// the version that the peer speaks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <vector>

#include "base/time.h"
#include "mptcp/keys.h"
#include "wire/address.h"

namespace braid::mptcp {

/// One entry an endpoint, as many as fit, the ones used longest ago going first. One thread.
class PeerMemory {
 public:
  struct Config {
    /// After this many verdicts MP_CAPABLE is left out. The first one may be wrong: a server that was
    /// restarted while the SYNs went out looks the same. So it only shortens the trial of the next
    /// connection.
    uint32_t strikes = 2;
    Duration first_silence = 60s;  // how long it is left out then; doubled with each further verdict
    Duration longest_silence = 1h;
    Duration version_kept = 1h;
    size_t capacity = 4096;
  };
  struct Advice {
    bool may_offer = true;           // MP_CAPABLE on the SYN
    uint32_t attempts = UINT32_MAX;  // SYNs with it before a plain one, at most
    Version version = Version::kV1;  // at most: what the peer answered with last
    bool operator==(const Advice&) const = default;
  };
  struct Entry {
    wire::Endpoint remote;
    uint32_t strikes = 0;
    Time silent_until{};  // MP_CAPABLE is left out until then
    Version version = Version::kV1;
    Time version_until{};
  };

  PeerMemory() : PeerMemory(Config{}) {}
  explicit PeerMemory(const Config& config) : config_(config) {}

  Advice advice(const wire::Endpoint& remote, Time now) const;
  /// A SYN/ACK with MP_CAPABLE came.
  void on_multipath(const wire::Endpoint& remote, Version version, Time now);
  /// A SYN with MP_CAPABLE was answered without: the option does no harm on the way.
  void on_plain(const wire::Endpoint& remote);
  /// SYNs with it stayed unanswered, one without was answered.
  void on_syn_dropped(const wire::Endpoint& remote, Time now);

  std::vector<Entry> entries() const;
  size_t size() const { return entries_.size(); }
  void clear();

 private:
  Entry& touch(const wire::Endpoint& remote);
  void forget(const wire::Endpoint& remote);

  Config config_;
  std::list<Entry> entries_;  // the latest first
  std::map<wire::Endpoint, std::list<Entry>::iterator> index_;
};

}  // namespace braid::mptcp
