#include "host/syn_cookies.h"

#include <algorithm>
#include <array>
#include <utility>

namespace braid::host {

namespace {

// 5 bits of the period, 3 of the MSS, 24 of a keyed hash.
constexpr Duration kPeriod = 64s;
constexpr unsigned kPeriodShift = 27, kMssShift = 24;
constexpr uint32_t kCodeMask = (1u << kMssShift) - 1, kPeriodMask = 31, kMssMask = 7;
constexpr std::array<uint16_t, 8> kMss = {88, 536, 1220, 1300, 1400, 1440, 1460, 8960};
// RFC 9293, 3.7.1.
constexpr uint16_t kDefaultMssV4 = 536, kDefaultMssV6 = 1220;

// The lowest bits of the timestamp: window scale (15: none) and SACK.
constexpr uint32_t kStampBits = 5, kStampMask = (1u << kStampBits) - 1, kSackBit = 0x10, kNoScale = 15;

uint64_t period_of(Time now) { return static_cast<uint64_t>(now.time_since_epoch() / kPeriod); }

SipHash start(const SipHash::Key& key, const wire::FourTuple& tuple, Seq32 seq) {
  SipHash sip(key);
  sip.add(tuple.local.address.bytes());
  sip.add(tuple.remote.address.bytes());
  sip.add16(tuple.local.port);
  sip.add16(tuple.remote.port);
  sip.add16(static_cast<uint16_t>(seq.value() >> 16));
  sip.add16(static_cast<uint16_t>(seq.value()));
  return sip;
}

}  // namespace

uint32_t SynCookies::code(const wire::FourTuple& tuple, Seq32 peer_seq, uint64_t period,
                          uint32_t mss_index) const {
  SipHash sip = start(cookie_key_, tuple, peer_seq);
  for (int shift = 0; shift < 64; shift += 16) sip.add16(static_cast<uint16_t>(period >> shift));
  sip.add16(static_cast<uint16_t>(mss_index));
  return static_cast<uint32_t>(sip.finish()) & kCodeMask;
}

Seq32 SynCookies::issue(const wire::TcpSegment& syn, Time now) {
  if (!std::exchange(has_keys_, true)) {
    cookie_key_ = SipHash::random_key(random_);
    mptcp_key_ = SipHash::random_key(random_);
  }
  in_use_until_ = now + 2 * kPeriod;
  const uint16_t assumed = syn.tuple.local.address.is_v4() ? kDefaultMssV4 : kDefaultMssV6;
  const uint16_t mss = syn.options.mss.value_or(assumed);
  uint32_t index = kMssMask;
  while (index > 0 && kMss[index] > mss) --index;
  const uint64_t period = period_of(now);
  return Seq32((static_cast<uint32_t>(period) & kPeriodMask) << kPeriodShift | index << kMssShift |
               code(syn.tuple, syn.seq, period, index));
}

std::optional<wire::TcpSegment> SynCookies::restore(const wire::TcpSegment& segment, Time now) const {
  if (!is_in_use(now)) return std::nullopt;
  const uint32_t cookie = (segment.ack - 1).value();
  const uint32_t index = cookie >> kMssShift & kMssMask;
  const uint64_t current = period_of(now);
  const uint64_t age = (current - (cookie >> kPeriodShift)) & kPeriodMask;
  const Seq32 peer_seq = segment.seq - 1;
  if (age > 1 || code(segment.tuple, peer_seq, current - age, index) != (cookie & kCodeMask))
    return std::nullopt;

  wire::TcpSegment syn;
  syn.tuple = segment.tuple;
  syn.seq = peer_seq;
  syn.flags.syn = true;
  syn.window = segment.window;
  syn.options.mss = kMss[index];
  if (segment.options.timestamps.has_value()) {
    const uint32_t stamp = segment.options.timestamps->echo & kStampMask;
    const uint32_t scale = stamp & kNoScale;
    syn.options.timestamps = segment.options.timestamps;
    if (scale != kNoScale) syn.options.window_scale = static_cast<uint8_t>(scale);
    syn.options.sack_permitted = (stamp & kSackBit) != 0;
  }
  return syn;
}

uint32_t SynCookies::stamp(uint32_t timestamp, const wire::TcpOptions& syn) {
  uint32_t bits = syn.sack_permitted ? kSackBit : 0;
  bits |= syn.window_scale.has_value() ? std::min<uint32_t>(*syn.window_scale, 14) : kNoScale;
  const uint32_t stamped = (timestamp & ~kStampMask) | bits;
  return stamped > timestamp ? stamped - (1u << kStampBits) : stamped;
}

mptcp::Key SynCookies::key_of(const wire::FourTuple& tuple, Seq32 cookie) const {
  return start(mptcp_key_, tuple, cookie).finish();
}

}  // namespace braid::host
