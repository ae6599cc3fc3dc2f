// ICMP errors: RFC 9293, 3.9.2.2, with the counter-measures of RFC 5927. An error counts only if it quotes a
// segment that is in flight now.
#include <cerrno>

#include "tcp/subflow_impl.h"

namespace braid::tcp {

namespace {

int to_errno(wire::IcmpErrorKind kind) {
  switch (kind) {
    case wire::IcmpErrorKind::kNetUnreachable:
      return ENETUNREACH;
    case wire::IcmpErrorKind::kPortUnreachable:
      return ECONNREFUSED;
    case wire::IcmpErrorKind::kProtocolUnreachable:
      return ENOPROTOOPT;
    case wire::IcmpErrorKind::kAdministrativelyProhibited:
      return EACCES;
    case wire::IcmpErrorKind::kPacketTooBig:
      return EMSGSIZE;
    case wire::IcmpErrorKind::kOther:
      return EPROTO;
    case wire::IcmpErrorKind::kHostUnreachable:
    case wire::IcmpErrorKind::kTimeExceeded:
      break;
  }
  return EHOSTUNREACH;
}

/// Smaller MTUs are not believed: 552 is what Linux takes from IPv4 paths, 1280 is IPv6's own minimum.
constexpr uint32_t kMinMtuV4 = 552, kMinMtuV6 = 1280;
constexpr uint32_t kHeadersV4 = 40, kHeadersV6 = 60;

/// RFC 1191, 7.1: where a router does not say, the next lower of the usual MTUs.
uint32_t next_plateau(uint32_t mtu) {
  for (const uint32_t plateau : {32000u, 17914u, 8166u, 4352u, 2002u, 1492u, 1006u}) {
    if (plateau < mtu) return plateau;
  }
  return kMinMtuV4;
}

}  // namespace

void Subflow::Impl::on_icmp(const wire::IcmpError& error, Time now) {
  if (state == State::kClosed || state == State::kTimeWait || handshake.sent == 0) return;
  if (!is_synchronized()) {
    if (error.seq != handshake.initial_seq || error.kind == wire::IcmpErrorKind::kPacketTooBig) return;
    soft_error = to_errno(error.kind);
    // A connect() that a router or the own kernel says is hopeless fails at once, soft errors too, as on
    // Linux: the caller has other addresses to try (RFC 5461, 4.1).
    if (state == State::kSynSent) close_with(CloseReason::kUnreachable, now);
    return;
  }
  const StreamOffset quoted = unwrap(error.seq, handshake.initial_seq, snd_una);
  if (quoted < snd_una || quoted >= snd_nxt) return;
  if (error.kind == wire::IcmpErrorKind::kPacketTooBig) return on_packet_too_big(error);
  soft_error = to_errno(error.kind);
}

void Subflow::Impl::on_packet_too_big(const wire::IcmpError& error) {
  const bool is_v4 = tuple.local.address.is_v4();
  const uint32_t headers = is_v4 ? kHeadersV4 : kHeadersV6;
  const uint32_t mtu = error.mtu != 0 ? error.mtu : next_plateau(handshake.send_mss + headers);
  const uint32_t new_mss = std::max(mtu, is_v4 ? kMinMtuV4 : kMinMtuV6) - headers;
  if (new_mss >= handshake.send_mss) return;
  set_send_mss(static_cast<uint16_t>(new_mss));
  recovery.on_path_mtu_reduced(mss());
}

}  // namespace braid::tcp
