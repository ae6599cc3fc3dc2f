// Addresses to announce and withdraw, and echoes owed: ADD_ADDR and REMOVE_ADDR (RFC 8684, 3.4). Queues, so a
// second one never displaces the first; bounded, and what does not fit is told to the caller.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"
#include "wire/mptcp_options.h"

namespace braid::mptcp {

class Announcements {
 public:
  static constexpr size_t kMaxWaiting = 64;

  // ---- commands
  /// Announces until echoed, or `attempts` times. False: the queue is full.
  bool announce(uint8_t id, const wire::IpAddress& address, uint16_t port, uint8_t version, Time now);
  bool withdraw(uint8_t id);
  /// A subflow is opened from that address: a withdrawal that still waits would hit it.
  void on_in_use(uint8_t id);
  /// The peer's ADD_ADDR, verified, is to be echoed.
  bool echo(const wire::AddAddr& received);
  /// The peer has it.
  void on_echo(uint8_t id);

  // ---- poll_*
  /// Something waits for a pure ACK to go on.
  bool is_due(Time now) const;
  Time next_deadline() const;
  /// The next option, without its HMAC, if it has at most `space` octets; it counts as sent.
  std::optional<wire::MptcpOption> poll(size_t space, Time now, Duration interval, uint32_t attempts);

 private:
  struct Announcement {
    wire::AddAddr option;
    uint32_t sent = 0;
    Time due;
  };
  std::vector<Announcement> announcements_;
  std::vector<wire::AddAddr> echoes_;
  std::vector<uint8_t> withdrawals_;
};

}  // namespace braid::mptcp
