// What a connection did, and why, for event logs: rare things only, so that nobody pays for who listens.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "wire/address.h"

namespace braid::mptcp {

class Connection;

struct Decision {
  enum class Kind : uint8_t {
    kOpened,           // a connection, by us or by the peer
    kMultipath,        // both ends have proved it: joins are allowed
    kFellBack,         // why: a FallbackReason
    kRaced,            // a first SYN from another address: the one before was not answered
    kSubflowOpened,    // a join was sent
    kSubflowAccepted,  // a join came; it is not proved yet
    kJoinRefused,      // why: a reason of MP_TCPRST
    kSubflowUp,
    kSubflowEnded,  // why: a SubflowEnd; amount: 1 if it had been up
    kPathDoubted,   // its ACKs are overdue; amount: as in the next
    kPathStalled,   // it was silent for a retransmission timeout; amount: octets offered to other paths
    kPathRecovered,
    kAddressAnnounced,  // amount: the address ID, as in the next three
    kAddressWithdrawn,
    kAddressLearned,  // the peer announced it
    kAddressForgotten,
    kPriorityChanged,  // amount: 1: backup; why: whose word it was
    kReinjected,       // why; amount: octets that go again on another path
    kPenalised,        // its window was halved, since it held up the others
    kFailed,           // why: a ConnectionError
    kClosed,
  };
  Kind kind{};
  std::optional<uint8_t> subflow{};  // its index
  std::string_view why{};
  uint64_t amount = 0;
  wire::FourTuple tuple{};              // of the subflow, or of the connection
  wire::IpAddress address{};            // kAddress...
  std::string_view packet{};            // kFellBack: the segment that led to it, if one did
  uint16_t port = 0;                    // kAddressLearned, if it was announced with one
  uint8_t local_id = 0, remote_id = 0;  // of a subflow
  bool is_backup = false;               // likewise, whoever said so
};

std::string_view to_string(Decision::Kind kind);
/// The members of a JSON object without its braces: "event" and what there is of "connection" (its token, in
/// hexadecimal), "subflow", "local", "remote", "address", "address_id", "is_backup", "bytes", "why",
/// "packet".
std::string to_json_members(const Connection& connection, const Decision& decision);

/// Called from inside of the connection: it must not call back.
class DecisionLog {
 public:
  virtual ~DecisionLog() = default;
  virtual void on_decision(const Connection& connection, const Decision& decision, Time now) = 0;
};

}  // namespace braid::mptcp
