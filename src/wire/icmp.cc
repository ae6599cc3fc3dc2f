#include "wire/icmp.h"

#include <optional>

#include "wire/byte_order.h"
#include "wire/checksum.h"

namespace braid::wire {

namespace {

constexpr size_t kIcmpHeaderSize = 8;
constexpr size_t kQuotedTcpBytes = 8;  // ports and sequence number: all that RFC 792 promises

struct Meaning {
  IcmpErrorKind kind = IcmpErrorKind::kOther;
  uint32_t mtu = 0;
};

/// RFC 792, RFC 1122 (3.2.2.1), RFC 1812 (5.2.7.1). Nothing for a message that reports no error.
std::optional<Meaning> meaning_v4(uint8_t type, uint8_t code, const std::byte* message) {
  constexpr uint8_t kUnreachable = 3, kSourceQuench = 4, kRedirect = 5, kTimeExceeded = 11,
                    kParameterProblem = 12;
  if (type == kTimeExceeded) return Meaning{IcmpErrorKind::kTimeExceeded};
  if (type == kSourceQuench || type == kRedirect || type == kParameterProblem) return Meaning{};
  if (type != kUnreachable) return std::nullopt;
  switch (code) {
    case 0:   // net
    case 6:   // net unknown
    case 11:  // net, for this type of service
      return Meaning{IcmpErrorKind::kNetUnreachable};
    case 1:   // host
    case 7:   // host unknown
    case 8:   // source host isolated
    case 12:  // host, for this type of service
      return Meaning{IcmpErrorKind::kHostUnreachable};
    case 2:
      return Meaning{IcmpErrorKind::kProtocolUnreachable};
    case 3:
      return Meaning{IcmpErrorKind::kPortUnreachable};
    case 4:  // RFC 1191, 4
      return Meaning{IcmpErrorKind::kPacketTooBig, load16(message + 6)};
    case 9:
    case 10:
    case 13:
      return Meaning{IcmpErrorKind::kAdministrativelyProhibited};
    default:
      return Meaning{};
  }
}

/// RFC 4443, 3.
std::optional<Meaning> meaning_v6(uint8_t type, uint8_t code, const std::byte* message) {
  constexpr uint8_t kUnreachable = 1, kPacketTooBig = 2, kTimeExceeded = 3, kParameterProblem = 4;
  constexpr uint8_t kUnknownNextHeader = 1;
  constexpr uint8_t kFirstInformational = 128;
  switch (type) {
    case kPacketTooBig:
      return Meaning{IcmpErrorKind::kPacketTooBig, load32(message + 4)};
    case kTimeExceeded:
      return Meaning{IcmpErrorKind::kTimeExceeded};
    case kParameterProblem:
      return Meaning{code == kUnknownNextHeader ? IcmpErrorKind::kProtocolUnreachable
                                                : IcmpErrorKind::kOther};
    case kUnreachable:
      break;
    default:
      return type < kFirstInformational ? std::optional(Meaning{}) : std::nullopt;
  }
  switch (code) {
    case 0:  // no route
    case 2:  // beyond the scope of the source address
      return Meaning{IcmpErrorKind::kNetUnreachable};
    case 3:
      return Meaning{IcmpErrorKind::kHostUnreachable};
    case 4:
      return Meaning{IcmpErrorKind::kPortUnreachable};
    case 1:  // administratively prohibited
    case 5:  // the source address failed a policy
    case 6:  // a route that rejects
      return Meaning{IcmpErrorKind::kAdministrativelyProhibited};
    default:
      return Meaning{};
  }
}

bool is_checksum_good(const IpHeader& outer, std::span<const std::byte> message) {
  InternetChecksum sum;
  if (outer.family == Family::kV6) sum = outer.pseudo_header(kProtocolIcmpV6, message.size());
  sum.add(message);
  return sum.sum() == 0xffff;
}

}  // namespace

std::variant<IcmpError, ParseError> parse_icmp(const IpHeader& outer, std::span<const std::byte> message,
                                               ChecksumState checksum) {
  if (message.size() < kIcmpHeaderSize) return ParseError::kBadIcmp;
  const uint8_t type = load8(message.data()), code = load8(message.data() + 1);
  const auto meaning = outer.family == Family::kV4 ? meaning_v4(type, code, message.data())
                                                   : meaning_v6(type, code, message.data());
  if (!meaning) return ParseError::kNotTcp;
  if (checksum == ChecksumState::kUnverified && !is_checksum_good(outer, message))
    return ParseError::kBadIcmp;

  const auto quoted = message.subspan(kIcmpHeaderSize);
  IpHeader inner;
  if (parse_ip_header(quoted, IpContext::kQuoted, inner)) return ParseError::kBadIcmp;
  if (inner.family != outer.family) return ParseError::kBadIcmp;
  if (inner.protocol != kProtocolTcp) return ParseError::kNotTcp;
  if (inner.payload_size < kQuotedTcpBytes) return ParseError::kBadIcmp;
  const std::byte* tcp = quoted.data() + inner.header_size;
  IcmpError error;
  error.kind = meaning->kind;
  error.mtu = meaning->mtu;
  error.tuple = {{inner.source(), load16(tcp)}, {inner.destination(), load16(tcp + 2)}};
  error.seq = Seq32(load32(tcp + 4));
  return error;
}

}  // namespace braid::wire
