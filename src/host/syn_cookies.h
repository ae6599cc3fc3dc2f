// SYN cookies (RFC 4987, 3.6): when a listener's backlog is full of handshakes that may never end, the answer
// to a SYN holds all that there is to remember, and nothing is kept until the third ACK brings it back. What
// a SYN offers besides the MSS comes back in the timestamp (as Linux has it); of Multipath TCP the third ACK
// tells enough, since it has both keys (RFC 8684, 3.1), and ours can be made again.
#pragma once

#include <cstdint>
#include <optional>

#include "base/random.h"
#include "base/sequence.h"
#include "base/siphash.h"
#include "base/time.h"
#include "mptcp/keys.h"
#include "wire/tcp_segment.h"

namespace braid::host {

class SynCookies {
 public:
  /// `random` outlives it; nothing is drawn before the first cookie.
  explicit SynCookies(RandomSource& random) : random_(random) {}

  /// The initial sequence number to answer `syn` with. It is good for one to two minutes.
  Seq32 issue(const wire::TcpSegment& syn, Time now);
  /// What of the SYN the first segment after it proves: its sequence number, MSS, and, if there is a
  /// timestamp, window scale and SACK. Nothing: no cookie of ours, or too old.
  std::optional<wire::TcpSegment> restore(const wire::TcpSegment& segment, Time now) const;
  /// Whether segments of nobody may be answers to cookies.
  bool is_in_use(Time now) const { return now < in_use_until_; }

  /// A TSval that holds the SYN's options in its lowest bits; never in the future.
  static uint32_t stamp(uint32_t timestamp, const wire::TcpOptions& syn);
  /// Our MPTCP key in a connection with that cookie.
  mptcp::Key key_of(const wire::FourTuple& tuple, Seq32 cookie) const;

 private:
  uint32_t code(const wire::FourTuple& tuple, Seq32 peer_seq, uint64_t period, uint32_t mss_index) const;

  RandomSource& random_;
  bool has_keys_ = false;
  SipHash::Key cookie_key_, mptcp_key_;
  Time in_use_until_{};
};

}  // namespace braid::host
