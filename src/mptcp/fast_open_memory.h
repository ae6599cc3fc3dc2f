// What a client remembers of servers for Fast Open (RFC 7413, 4.1.3): the cookie and the MSS that came with
// it, and that SYNs with them came to nothing.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>

#include "base/time.h"
#include "wire/address.h"
#include "wire/tcp_segment.h"

namespace braid::mptcp {

/// One entry a pair of our address, which the cookie was made for, and the server's endpoint; as many as fit,
/// the ones used longest ago going first. One thread.
class FastOpenMemory {
 public:
  struct Config {
    /// After a SYN whose text was not taken, or that was not answered at all: how long Fast Open is left out;
    /// doubled with each further one in a row. Networks drop SYNs with data, and servers turn it off.
    Duration first_silence = 60s;
    Duration longest_silence = 1h;
    size_t capacity = 4096;
  };
  struct Advice {
    bool may_ask = true;  // Fast Open at all
    std::optional<wire::FastOpenCookie> cookie{};
    uint16_t mss = 0;  // the server's, from its SYN/ACK; 0: unknown
  };

  FastOpenMemory() : FastOpenMemory(Config{}) {}
  explicit FastOpenMemory(const Config& config) : config_(config) {}

  Advice advice(const wire::IpAddress& local, const wire::Endpoint& remote, Time now) const;
  /// A SYN/ACK brought a cookie.
  void on_cookie(const wire::IpAddress& local, const wire::Endpoint& remote,
                 const wire::FastOpenCookie& cookie, uint16_t mss);
  /// A SYN's text was acknowledged.
  void on_taken(const wire::IpAddress& local, const wire::Endpoint& remote);
  void on_failed(const wire::IpAddress& local, const wire::Endpoint& remote, Time now);
  /// A SYN that only asked for a cookie stayed unanswered, and one that did not ask was answered. Packets get
  /// lost: it counts as a failure from the second in a row on.
  void on_request_lost(const wire::IpAddress& local, const wire::Endpoint& remote, Time now);

  size_t size() const { return entries_.size(); }

 private:
  struct Key {
    wire::IpAddress local;
    wire::Endpoint remote;
    auto operator<=>(const Key&) const = default;
  };
  struct Entry {
    Key key;
    std::optional<wire::FastOpenCookie> cookie{};
    uint16_t mss = 0;
    uint32_t failures = 0;  // in a row
    bool has_lost_request = false;
    Time silent_until{};
  };
  Entry& touch(const Key& key);

  Config config_;
  std::list<Entry> entries_;  // the latest first
  std::map<Key, std::list<Entry>::iterator> index_;
};

}  // namespace braid::mptcp
