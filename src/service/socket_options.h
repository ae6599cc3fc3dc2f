// The options a program has set on a socket: stored as given, checked as the kernel checks them, and what
// they mean to a connection.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/time.h"
#include "mptcp/connection.h"

namespace braid::service {

class SocketOptions {
 public:
  /// 0, or the errno of setsockopt(): EINVAL, ENOPROTOOPT, ENOENT (an unknown congestion control) ...
  int set(int level, int name, std::span<const std::byte> value);
  /// What was set, or the default. 0, or the errno of getsockopt().
  int get(int level, int name, std::vector<std::byte>& value) const;

  /// Those that a connection has to know from its first packet.
  void apply(mptcp::ConnectionConfig& config) const;
  /// One option, just set, on a connection that exists.
  void apply(int level, int name, mptcp::Connection& connection, Time now) const;
  /// All that apply(config) can't express, on a connection that is new.
  void apply_all(mptcp::Connection& connection, Time now) const;

  /// TCP_FASTOPEN: connections in SYN-RECEIVED that a listener may hand out; 0: no Fast Open.
  uint32_t fast_open_queue() const;
  bool connects_with_data() const;  ///< TCP_FASTOPEN_CONNECT
  bool reuses_address() const { return integer(SOL_SOCKET, SO_REUSEADDR) != 0; }
  bool reuses_port() const { return integer(SOL_SOCKET, SO_REUSEPORT) != 0; }
  bool is_v6_only() const;
  /// SO_LINGER with a timeout of 0: close() resets.
  bool resets_on_close() const;

  /// As OptionRecords, kMaxValue bytes at most.
  std::vector<std::byte> records() const;

 private:
  struct Stored {
    int level = 0, name = 0;
    std::vector<std::byte> value;
  };
  const Stored* find(int level, int name) const;
  int integer(int level, int name) const;
  uint8_t traffic_class() const;
  uint8_t hop_limit() const;
  void store(int level, int name, std::span<const std::byte> value);

  std::vector<Stored> stored_;  // one an option, in the order of their first setting
};

}  // namespace braid::service
