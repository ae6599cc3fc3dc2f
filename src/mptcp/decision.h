// What a connection did, and why, for event logs: rare things only, so that nobody pays for who listens.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "mptcp/keys.h"
#include "wire/address.h"

namespace braid::mptcp {

class Connection;

struct Decision {
  enum class Kind : uint8_t {
    kOpened,           // a connection, by us or by the peer; amount: octets of the SYN that were taken
    kMultipath,        // both ends have proved it: joins are allowed
    kFellBack,         // why: a FallbackReason
    kRaced,            // a first SYN from another address: the one before was not answered
    kSubflowOpened,    // a join was sent
    kSubflowAccepted,  // a join came; it is not proved yet
    kJoinRefused,      // why: a reason of MP_TCPRST, as the peer is told; detail: what is behind it
    kSubflowUp,
    kSubflowEnded,  // why: a SubflowEnd; amount: 1 if it had been up; detail: the peer's reason (MP_TCPRST)
    kPathWithheld,  // one more that could be is not opened; why: a PathError or a Withheld
    kJoinsDenied,   // the peer takes none at its first address and port (RFC 8684, 3.1, flag C)
    kPathDoubted,   // its ACKs are overdue; amount: as in the next
    kPathTrusted,   // it gave a sign of life after that
    kPathStalled,   // it was silent for a retransmission timeout; amount: octets offered to other paths
    kPathRecovered,
    kAddressAnnounced,  // amount: the address ID, as in the next three
    kAddressWithdrawn,
    kAddressLearned,  // the peer announced it
    kAddressForgotten,
    kPriorityChanged,   // amount: 1: backup; why: whose word it was
    kReinjected,        // why; amount: octets that go again on another path
    kPenalised,         // its window was halved, since it held up the others
    kSchedulerChanged,  // why: its name, as in the next
    kCongestionControlChanged,
    kFailed,  // why: a ConnectionError
    kClosed,
  };
  Kind kind{};
  std::optional<uint8_t> subflow{};  // its index
  std::string_view why{};
  std::string_view detail{};
  uint64_t amount = 0;
  wire::FourTuple tuple{};              // of the subflow, or of the connection
  wire::IpAddress address{};            // kAddress...
  std::string_view packet{};            // kFellBack: the segment that led to it, if one did
  uint16_t port = 0;                    // kAddressLearned, if it was announced with one
  uint8_t local_id = 0, remote_id = 0;  // of a subflow
  bool is_backup = false;               // likewise, whoever said so
  // kSubflowEnded: what it carried, at data level, and what it had to send again.
  uint64_t sent_bytes = 0, received_bytes = 0, retransmitted_bytes = 0;
};

std::string_view to_string(Decision::Kind kind);
/// The members of a JSON object without its braces: "event" and what there is of "connection" (its token, in
/// hexadecimal), "subflow", "local", "remote", "address", "address_id", "is_backup", "bytes", "sent_bytes",
/// "received_bytes", "why", "detail", "packet".
std::string to_json_members(const Connection& connection, const Decision& decision);
std::string to_json_members(Token token, const Decision& decision);

/// Called from inside of the connection: it must not call back.
class DecisionLog {
 public:
  virtual ~DecisionLog() = default;
  virtual void on_decision(const Connection& connection, const Decision& decision, Time now) = 0;
};

}  // namespace braid::mptcp
