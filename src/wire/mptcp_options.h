// The MPTCP options of RFC 8684 (version 1) and, where they differ, of RFC 6824 (version 0), as
// representations that cannot hold nonsense; parse after emit is the identity. A structurally malformed
// option never makes one of these: the parser counts it and drops it.
#pragma once

#include <algorithm>
#include <array>
#include <boost/container/static_vector.hpp>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <variant>

#include "base/check.h"
#include "wire/address.h"

namespace braid::wire {

inline constexpr uint8_t kOptionKindMptcp = 30;

/// Subtypes, RFC 8684, 8.2 (table 4).
enum class MptcpSubtype : uint8_t {
  kMpCapable = 0,
  kMpJoin = 1,
  kDss = 2,
  kAddAddr = 3,
  kRemoveAddr = 4,
  kMpPrio = 5,
  kMpFail = 6,
  kMpFastclose = 7,
  kMpTcpRst = 8,
};

/// RFC 8684, 3.1. Which form it is follows from what it carries: SYN none; SYN/ACK sender_key;
/// third ACK both keys; first data both keys and data_length (and checksum). Version 0 (RFC 6824, 3.1) has
/// the key in the SYN too, and no form with data.
struct MpCapable {
  uint8_t version = 1;
  bool checksum_required = false;  // flag A
  bool extensibility = false;      // flag B: must be 0, else the option is to be ignored
  bool deny_join_initial = false;  // flag C: no MP_JOIN to this address and port
  bool hmac_sha256 = true;         // flag H; in version 0 the same bit stands for HMAC-SHA1
  std::optional<uint64_t> sender_key;
  std::optional<uint64_t> receiver_key;
  std::optional<uint16_t> data_length;
  std::optional<uint16_t> checksum;
  bool operator==(const MpCapable&) const = default;
};

/// RFC 8684, 3.2: MP_JOIN on SYN, SYN/ACK and ACK.
struct MpJoinSyn {
  bool backup = false;
  uint8_t address_id = 0;
  uint32_t receiver_token = 0;
  uint32_t sender_nonce = 0;
  bool operator==(const MpJoinSyn&) const = default;
};
struct MpJoinSynAck {
  bool backup = false;
  uint8_t address_id = 0;
  uint64_t truncated_hmac = 0;  // leftmost 64 bits, as a big-endian number
  uint32_t sender_nonce = 0;
  bool operator==(const MpJoinSynAck&) const = default;
};
struct MpJoinAck {
  std::array<std::byte, 20> hmac{};  // leftmost 160 bits
  bool operator==(const MpJoinAck&) const = default;
};

/// A sequence number that travels as 4 or 8 octets.
struct WideOrNarrow {
  uint64_t value = 0;  // for the narrow form: only the low 32 bits, the rest 0
  bool is_wide = false;
  bool operator==(const WideOrNarrow&) const = default;
};

/// RFC 8684, 3.3: data sequence signal: a DATA_ACK, a mapping, or both.
struct DssMapping {
  WideOrNarrow data_seq;
  uint32_t subflow_seq = 0;  // relative to the subflow's ISN; 0 with data_length 1 and DATA_FIN alone
  uint16_t data_length = 0;  // 0: infinite mapping (fallback); includes the DATA_FIN's one octet
  std::optional<uint16_t> checksum;
  bool operator==(const DssMapping&) const = default;
};
struct Dss {
  std::optional<WideOrNarrow> data_ack;
  std::optional<DssMapping> mapping;
  bool data_fin = false;  // flag F; only with a mapping
  bool operator==(const Dss&) const = default;
};

/// RFC 8684, 3.4.1. With `is_echo` there is no HMAC. Version 0 (RFC 6824, 3.4.1) has neither.
struct AddAddr {
  bool is_echo = false;
  uint8_t address_id = 0;
  IpAddress address;
  std::optional<uint16_t> port;
  uint64_t truncated_hmac = 0;  // rightmost 64 bits of the HMAC, as a big-endian number
  uint8_t version = 1;
  bool operator==(const AddAddr&) const = default;
};

/// A short list of address IDs, as many as fit in an option. Trivially copyable, unlike static_vector, and so
/// is the variant below: it is copied for every segment.
class AddressIds {
 public:
  static constexpr size_t kCapacity = 37;

  constexpr AddressIds() = default;
  constexpr AddressIds(std::initializer_list<uint8_t> ids) {
    for (const uint8_t id : ids) push_back(id);
  }
  constexpr void push_back(uint8_t id) {
    BRAID_CHECK(size_ < kCapacity);
    ids_[size_++] = id;
  }
  constexpr void clear() { size_ = 0; }
  constexpr size_t size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }
  static constexpr size_t capacity() { return kCapacity; }
  constexpr uint8_t operator[](size_t i) const { return ids_[i]; }
  constexpr const uint8_t* data() const { return ids_.data(); }
  constexpr const uint8_t* begin() const { return ids_.data(); }
  constexpr const uint8_t* end() const { return ids_.data() + size_; }
  constexpr bool operator==(const AddressIds& other) const {
    return std::equal(begin(), end(), other.begin(), other.end());
  }

 private:
  std::array<uint8_t, kCapacity> ids_{};
  uint8_t size_ = 0;
};

/// RFC 8684, 3.4.2: 1 to 255 address IDs in theory; what fits in an option is kept.
struct RemoveAddr {
  AddressIds address_ids;
  bool operator==(const RemoveAddr&) const = default;
};

/// RFC 8684, 3.3.8. The address ID was in RFC 6824; version 1 peers may still send the 4-octet form.
struct MpPrio {
  bool backup = false;
  std::optional<uint8_t> address_id;
  bool operator==(const MpPrio&) const = default;
};

/// RFC 8684, 3.7.
struct MpFail {
  uint64_t data_seq = 0;
  bool operator==(const MpFail&) const = default;
};

/// RFC 8684, 3.5.
struct MpFastclose {
  uint64_t receiver_key = 0;
  bool operator==(const MpFastclose&) const = default;
};

/// RFC 8684, 3.6, reasons of table 3.
enum class ResetReason : uint8_t {
  kUnspecified = 0,
  kMptcpSpecific = 1,
  kLackOfResources = 2,
  kAdministrativelyProhibited = 3,
  kTooMuchOutstandingData = 4,
  kUnacceptablePerformance = 5,
  kMiddleboxInterference = 6,
};
std::string_view to_string(ResetReason reason);
struct MpTcpRst {
  bool is_transient = false;  // flag T
  bool flag_u = false, flag_v = false, flag_w = false;
  ResetReason reason = ResetReason::kUnspecified;  // unknown values are kept as they came
  bool operator==(const MpTcpRst&) const = default;
};

using MptcpOption = std::variant<Dss, MpCapable, MpJoinSyn, MpJoinSynAck, MpJoinAck, AddAddr, RemoveAddr,
                                 MpPrio, MpFail, MpFastclose, MpTcpRst>;
static_assert(std::is_trivially_copyable_v<MptcpOption>);

/// All MPTCP options of one segment, in wire order. The smallest (MP_PRIO) has 3 octets, so 13 fill the 40.
using MptcpOptions = boost::container::static_vector<MptcpOption, 13>;

/// Octets that the option takes, unpadded (its own length octet).
size_t encoded_size(const MptcpOption& option);
/// Writes it; returns encoded_size(option). `out` is at least that long.
size_t encode(const MptcpOption& option, std::span<std::byte> out);
/// Parses one option, `bytes` from its kind octet to its last octet. `is_syn` and `is_ack` tell the MP_JOIN
/// forms apart. Nothing if it is malformed or of an unknown subtype.
std::optional<MptcpOption> parse_mptcp_option(std::span<const std::byte> bytes, bool is_syn, bool is_ack);
/// The same in place: whether `option` was set. If not, it may hold anything.
bool parse_mptcp_option(std::span<const std::byte> bytes, bool is_syn, bool is_ack, MptcpOption& option);

template <class T>
const T* find(const MptcpOptions& options) {
  for (const MptcpOption& option : options) {
    if (const T* found = std::get_if<T>(&option)) return found;
  }
  return nullptr;
}

}  // namespace braid::wire
