#include "wire/mptcp_options.h"

#include <cstring>

#include "base/check.h"
#include "wire/byte_order.h"

namespace braid::wire {

namespace {

// MP_CAPABLE's third octet, RFC 8684, 3.1.
constexpr unsigned kCapableChecksum = 0x80, kCapableExtensibility = 0x40, kCapableDenyJoin = 0x20,
                   kCapableHmacSha256 = 0x01;
// DSS's fourth, RFC 8684, 3.3.
constexpr unsigned kDssDataFin = 0x10, kDssWideSeq = 0x08, kDssMapping = 0x04, kDssWideAck = 0x02,
                   kDssAck = 0x01;
constexpr unsigned kJoinBackup = 0x1, kPrioBackup = 0x1, kAddAddrEcho = 0x1;
constexpr unsigned kRstU = 0x8, kRstV = 0x4, kRstW = 0x2, kRstTransient = 0x1;

constexpr unsigned bit(bool condition, unsigned mask) { return condition ? mask : 0; }

// ---- sizes

size_t size_of(const MpCapable& o) {
  BRAID_CHECK(!o.receiver_key || o.sender_key);
  BRAID_CHECK(!o.data_length || o.receiver_key);
  BRAID_CHECK(!o.checksum || o.data_length);
  return 4 + (o.sender_key ? 8u : 0u) + (o.receiver_key ? 8u : 0u) + (o.data_length ? 2u : 0u) +
         (o.checksum ? 2u : 0u);
}
size_t size_of(const MpJoinSyn&) { return 12; }
size_t size_of(const MpJoinSynAck&) { return 16; }
size_t size_of(const MpJoinAck&) { return 24; }
size_t size_of(const Dss& o) {
  size_t size = 4;
  if (o.data_ack) size += o.data_ack->is_wide ? 8 : 4;
  if (o.mapping) size += (o.mapping->data_seq.is_wide ? 8u : 4u) + 6u + (o.mapping->checksum ? 2u : 0u);
  return size;
}
size_t size_of(const AddAddr& o) {
  const bool has_hmac = o.version > 0 && !o.is_echo;
  return 4 + o.address.size() + (o.port ? 2u : 0u) + (has_hmac ? 8u : 0u);
}
size_t size_of(const RemoveAddr& o) { return 3 + o.address_ids.size(); }
size_t size_of(const MpPrio& o) { return o.address_id ? 4 : 3; }
size_t size_of(const MpFail&) { return 12; }
size_t size_of(const MpFastclose&) { return 12; }
size_t size_of(const MpTcpRst&) { return 4; }

// ---- writing

/// Appends fields; the size was checked before.
class Writer {
 public:
  Writer(std::byte* out, size_t size, MptcpSubtype subtype, unsigned low_nibble) : at_(out) {
    put8(kOptionKindMptcp);
    put8(static_cast<unsigned>(size));
    put8(static_cast<unsigned>(subtype) << 4 | low_nibble);
  }
  void put8(unsigned v) { store8(at_, v), at_ += 1; }
  void put16(uint16_t v) { store16(at_, v), at_ += 2; }
  void put32(uint32_t v) { store32(at_, v), at_ += 4; }
  void put64(uint64_t v) { store64(at_, v), at_ += 8; }
  void put(const WideOrNarrow& v) { v.is_wide ? put64(v.value) : put32(static_cast<uint32_t>(v.value)); }
  void put_bytes(const void* from, size_t size) { std::memcpy(at_, from, size), at_ += size; }

 private:
  std::byte* at_;
};

void write(const MpCapable& o, size_t size, std::byte* out) {
  Writer w(out, size, MptcpSubtype::kMpCapable, o.version & 0xfu);
  w.put8(bit(o.checksum_required, kCapableChecksum) | bit(o.extensibility, kCapableExtensibility) |
         bit(o.deny_join_initial, kCapableDenyJoin) | bit(o.hmac_sha256, kCapableHmacSha256));
  if (o.sender_key) w.put64(*o.sender_key);
  if (o.receiver_key) w.put64(*o.receiver_key);
  if (o.data_length) w.put16(*o.data_length);
  if (o.checksum) w.put16(*o.checksum);
}

void write(const MpJoinSyn& o, size_t size, std::byte* out) {
  Writer w(out, size, MptcpSubtype::kMpJoin, bit(o.backup, kJoinBackup));
  w.put8(o.address_id);
  w.put32(o.receiver_token);
  w.put32(o.sender_nonce);
}

void write(const MpJoinSynAck& o, size_t size, std::byte* out) {
  Writer w(out, size, MptcpSubtype::kMpJoin, bit(o.backup, kJoinBackup));
  w.put8(o.address_id);
  w.put64(o.truncated_hmac);
  w.put32(o.sender_nonce);
}

void write(const MpJoinAck& o, size_t size, std::byte* out) {
  Writer w(out, size, MptcpSubtype::kMpJoin, 0);
  w.put8(0);
  w.put_bytes(o.hmac.data(), o.hmac.size());
}

void write(const Dss& o, size_t size, std::byte* out) {
  Writer w(out, size, MptcpSubtype::kDss, 0);
  w.put8(bit(o.mapping && o.data_fin, kDssDataFin) |
         bit(o.mapping && o.mapping->data_seq.is_wide, kDssWideSeq) |
         bit(o.mapping.has_value(), kDssMapping) | bit(o.data_ack && o.data_ack->is_wide, kDssWideAck) |
         bit(o.data_ack.has_value(), kDssAck));
  if (o.data_ack) w.put(*o.data_ack);
  if (o.mapping) {
    w.put(o.mapping->data_seq);
    w.put32(o.mapping->subflow_seq);
    w.put16(o.mapping->data_length);
    if (o.mapping->checksum) w.put16(*o.mapping->checksum);
  }
}

void write(const AddAddr& o, size_t size, std::byte* out) {
  const unsigned ip_version = o.address.is_v4() ? 4 : 6;
  Writer w(out, size, MptcpSubtype::kAddAddr, o.version == 0 ? ip_version : bit(o.is_echo, kAddAddrEcho));
  w.put8(o.address_id);
  w.put_bytes(o.address.bytes().data(), o.address.size());
  if (o.port) w.put16(*o.port);
  if (o.version > 0 && !o.is_echo) w.put64(o.truncated_hmac);
}

void write(const RemoveAddr& o, size_t size, std::byte* out) {
  Writer w(out, size, MptcpSubtype::kRemoveAddr, 0);
  w.put_bytes(o.address_ids.data(), o.address_ids.size());
}

void write(const MpPrio& o, size_t size, std::byte* out) {
  Writer w(out, size, MptcpSubtype::kMpPrio, bit(o.backup, kPrioBackup));
  if (o.address_id) w.put8(*o.address_id);
}

void write(const MpFail& o, size_t size, std::byte* out) {
  Writer w(out, size, MptcpSubtype::kMpFail, 0);
  w.put8(0);
  w.put64(o.data_seq);
}

void write(const MpFastclose& o, size_t size, std::byte* out) {
  Writer w(out, size, MptcpSubtype::kMpFastclose, 0);
  w.put8(0);
  w.put64(o.receiver_key);
}

void write(const MpTcpRst& o, size_t size, std::byte* out) {
  Writer w(out, size, MptcpSubtype::kMpTcpRst,
           bit(o.flag_u, kRstU) | bit(o.flag_v, kRstV) | bit(o.flag_w, kRstW) |
               bit(o.is_transient, kRstTransient));
  w.put8(static_cast<unsigned>(o.reason));
}

// ---- parsing: `at` is the option's kind octet, `size` its whole length, at least 3; all of it is there.

bool parse_capable(const std::byte* at, size_t size, bool is_syn, bool is_ack, MptcpOption& out) {
  if (size < 4) return false;
  MpCapable o;
  o.version = load8(at + 2) & 0xf;
  const unsigned flags = load8(at + 3);
  o.checksum_required = (flags & kCapableChecksum) != 0;
  o.extensibility = (flags & kCapableExtensibility) != 0;
  o.deny_join_initial = (flags & kCapableDenyJoin) != 0;
  o.hmac_sha256 = (flags & kCapableHmacSha256) != 0;
  // What follows in a later version's SYN is not ours to judge; all we need to answer is the version.
  if (o.version > 1 && is_syn && !is_ack) {
    out = o;
    return true;
  }
  // RFC 6824, 3.1 (version 0): the key is in the SYN already, and no data length comes with the third ACK.
  const bool is_v0 = o.version == 0;
  if (is_syn) {
    if (size != (is_ack || is_v0 ? 12 : 4)) return false;
  } else if (size != 20 && (is_v0 || (size != 22 && size != 24))) {
    return false;
  }
  if (size >= 12) o.sender_key = load64(at + 4);
  if (size >= 20) o.receiver_key = load64(at + 12);
  if (size >= 22) o.data_length = load16(at + 20);
  if (size >= 24) o.checksum = load16(at + 22);
  out = o;
  return true;
}

bool parse_join(const std::byte* at, size_t size, bool is_syn, bool is_ack, MptcpOption& out) {
  if (!is_syn) {
    if (size != 24 || !is_ack) return false;
    MpJoinAck o;
    std::memcpy(o.hmac.data(), at + 4, o.hmac.size());
    out = o;
    return true;
  }
  if (size != (is_ack ? 16 : 12)) return false;
  const bool backup = (load8(at + 2) & kJoinBackup) != 0;
  const uint8_t address_id = load8(at + 3);
  if (is_ack) {
    out = MpJoinSynAck{backup, address_id, load64(at + 4), load32(at + 12)};
  } else {
    out = MpJoinSyn{backup, address_id, load32(at + 4), load32(at + 8)};
  }
  return true;
}

WideOrNarrow load_wide_or_narrow(const std::byte*& at, bool is_wide) {
  const WideOrNarrow v{is_wide ? load64(at) : load32(at), is_wide};
  at += is_wide ? 8 : 4;
  return v;
}

bool parse_dss(const std::byte* at, size_t size, MptcpOption& out) {
  if (size < 4) return false;
  const unsigned flags = load8(at + 3);
  const bool has_ack = (flags & kDssAck) != 0, has_mapping = (flags & kDssMapping) != 0;
  const bool is_wide_ack = (flags & kDssWideAck) != 0, is_wide_seq = (flags & kDssWideSeq) != 0;
  const size_t plain =
      4 + (has_ack ? (is_wide_ack ? 8u : 4u) : 0u) + (has_mapping ? (is_wide_seq ? 8u : 4u) + 6u : 0u);
  const bool has_checksum = has_mapping && size == plain + 2;
  if (size != plain && !has_checksum) return false;
  Dss& o = out.emplace<Dss>();
  at += 4;
  if (has_ack) o.data_ack = load_wide_or_narrow(at, is_wide_ack);
  if (has_mapping) {
    DssMapping& mapping = o.mapping.emplace();
    mapping.data_seq = load_wide_or_narrow(at, is_wide_seq);
    mapping.subflow_seq = load32(at);
    mapping.data_length = load16(at + 4);
    if (has_checksum) mapping.checksum = load16(at + 6);
    o.data_fin = (flags & kDssDataFin) != 0;  // without a mapping it says nothing
  }
  return true;
}

bool parse_add_addr(const std::byte* at, size_t size, MptcpOption& out) {
  AddAddr o;
  const unsigned nibble = load8(at + 2) & 0xf;
  o.is_echo = (nibble & kAddAddrEcho) != 0;
  // Neither echo nor long enough for an HMAC: version 0, whose nibble tells the family.
  if (!o.is_echo && (size == 8 || size == 10 || size == 20 || size == 22)) {
    if (nibble != (size < 20 ? 4u : 6u)) return false;
    o.version = 0;
  }
  const size_t tail = o.is_echo || o.version == 0 ? 0 : 8;
  if (size < 4 + 4 + tail) return false;
  const size_t rest = size - 4 - tail;  // address and port
  if (rest != 4 && rest != 6 && rest != 16 && rest != 18) return false;
  o.address_id = load8(at + 3);
  at += 4;
  if (rest < 16) {
    o.address = IpAddress::v4(load32(at));
  } else {
    std::array<uint8_t, 16> bytes;
    std::memcpy(bytes.data(), at, bytes.size());
    o.address = IpAddress::v6(bytes);
  }
  at += o.address.size();
  if (rest == 6 || rest == 18) {
    o.port = load16(at);
    at += 2;
  }
  if (tail > 0) o.truncated_hmac = load64(at);
  out = o;
  return true;
}

bool parse_remove_addr(const std::byte* at, size_t size, MptcpOption& out) {
  RemoveAddr o;
  if (size < 4 || size - 3 > o.address_ids.capacity()) return false;
  for (size_t i = 3; i < size; ++i) o.address_ids.push_back(load8(at + i));
  out = o;
  return true;
}

bool parse_prio(const std::byte* at, size_t size, MptcpOption& out) {
  if (size != 3 && size != 4) return false;
  MpPrio o;
  o.backup = (load8(at + 2) & kPrioBackup) != 0;
  if (size == 4) o.address_id = load8(at + 3);
  out = o;
  return true;
}

bool parse_tcp_rst(const std::byte* at, size_t size, MptcpOption& out) {
  if (size != 4) return false;
  const unsigned flags = load8(at + 2);
  MpTcpRst o;
  o.flag_u = (flags & kRstU) != 0;
  o.flag_v = (flags & kRstV) != 0;
  o.flag_w = (flags & kRstW) != 0;
  o.is_transient = (flags & kRstTransient) != 0;
  o.reason = static_cast<ResetReason>(load8(at + 3));
  out = o;
  return true;
}

}  // namespace

size_t encoded_size(const MptcpOption& option) {
  if (const Dss* dss = std::get_if<Dss>(&option)) return size_of(*dss);  // nearly always
  return std::visit([](const auto& o) { return size_of(o); }, option);
}

size_t encode(const MptcpOption& option, std::span<std::byte> out) {
  return std::visit(
      [out](const auto& o) {
        const size_t size = size_of(o);
        BRAID_CHECK(size <= out.size());
        write(o, size, out.data());
        return size;
      },
      option);
}

bool parse_mptcp_option(std::span<const std::byte> bytes, bool is_syn, bool is_ack, MptcpOption& out) {
  const std::byte* at = bytes.data();
  const size_t size = bytes.size();
  if (size < 3 || load8(at) != kOptionKindMptcp || load8(at + 1) != size) return false;
  switch (static_cast<MptcpSubtype>(load8(at + 2) >> 4)) {
    case MptcpSubtype::kDss:
      return parse_dss(at, size, out);
    case MptcpSubtype::kMpCapable:
      return parse_capable(at, size, is_syn, is_ack, out);
    case MptcpSubtype::kMpJoin:
      return parse_join(at, size, is_syn, is_ack, out);
    case MptcpSubtype::kAddAddr:
      return parse_add_addr(at, size, out);
    case MptcpSubtype::kRemoveAddr:
      return parse_remove_addr(at, size, out);
    case MptcpSubtype::kMpPrio:
      return parse_prio(at, size, out);
    case MptcpSubtype::kMpFail:
      if (size == 12) out = MpFail{load64(at + 4)};
      return size == 12;
    case MptcpSubtype::kMpFastclose:
      if (size == 12) out = MpFastclose{load64(at + 4)};
      return size == 12;
    case MptcpSubtype::kMpTcpRst:
      return parse_tcp_rst(at, size, out);
  }
  return false;
}

std::optional<MptcpOption> parse_mptcp_option(std::span<const std::byte> bytes, bool is_syn, bool is_ack) {
  MptcpOption option;
  if (!parse_mptcp_option(bytes, is_syn, is_ack, option)) return std::nullopt;
  return option;
}

std::string_view to_string(ResetReason reason) {
  switch (reason) {
    case ResetReason::kUnspecified:
      return "unspecified";
    case ResetReason::kMptcpSpecific:
      return "mptcp-specific";
    case ResetReason::kLackOfResources:
      return "lack-of-resources";
    case ResetReason::kAdministrativelyProhibited:
      return "administratively-prohibited";
    case ResetReason::kTooMuchOutstandingData:
      return "too-much-outstanding-data";
    case ResetReason::kUnacceptablePerformance:
      return "unacceptable-performance";
    case ResetReason::kMiddleboxInterference:
      return "middlebox-interference";
  }
  return "unknown";
}

}  // namespace braid::wire
