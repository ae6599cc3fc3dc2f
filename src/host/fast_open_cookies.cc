#include "host/fast_open_cookies.h"

#include <algorithm>

namespace braid::host {

wire::FastOpenCookie FastOpenCookies::make(const SipHash::Key& key, const wire::FourTuple& tuple) {
  SipHash sip(key);
  sip.add(tuple.local.address.bytes());
  sip.add(tuple.remote.address.bytes());
  const uint64_t code = sip.finish();
  std::array<std::byte, kCookieBytes> bytes;
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(code >> (8 * i));
  return wire::FastOpenCookie::of(bytes);
}

void FastOpenCookies::rotate(Time now) {
  if (has_keys_ && now - since_ < kKeyLife) return;
  // After a long silence there is no key whose cookies could still be good.
  const bool is_last_good = has_keys_ && now - since_ < 2 * kKeyLife;
  keys_[1] = is_last_good ? keys_[0] : SipHash::random_key(random_);
  keys_[0] = SipHash::random_key(random_);
  since_ = now;
  has_keys_ = true;
}

wire::FastOpenCookie FastOpenCookies::issue(const wire::FourTuple& tuple, Time now) {
  rotate(now);
  return make(keys_[0], tuple);
}

FastOpenCookies::Verdict FastOpenCookies::check(const wire::FourTuple& tuple,
                                                const wire::FastOpenCookie& cookie, Time now) {
  rotate(now);
  if (cookie.size < kLeastBytes || cookie.size > kCookieBytes) return Verdict::kBad;
  for (size_t i = 0; i < keys_.size(); ++i) {
    const wire::FastOpenCookie whole = make(keys_[i], tuple);
    if (std::ranges::equal(cookie.bytes(), whole.bytes().first(cookie.size)))
      return i == 0 ? Verdict::kGood : Verdict::kGoodButOld;
  }
  return Verdict::kBad;
}

}  // namespace braid::host
