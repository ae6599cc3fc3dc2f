// The cookies that a server gives for Fast Open (RFC 7413, 4.1.2): a keyed hash of the two addresses, so that
// nothing is kept, and only who received one at that address can show it. The key changes from time to time;
// what was made with the one before is still good, and replaced.
#pragma once

#include <array>
#include <cstdint>

#include "base/random.h"
#include "base/siphash.h"
#include "base/time.h"
#include "wire/address.h"
#include "wire/tcp_segment.h"

namespace braid::host {

class FastOpenCookies {
 public:
  /// A cookie is good for once to twice as long.
  static constexpr Duration kKeyLife = 2h;
  static constexpr size_t kCookieBytes = 8;

  /// `random` outlives it; nothing is drawn before the first cookie.
  explicit FastOpenCookies(RandomSource& random) : random_(random) {}

  enum class Verdict : uint8_t { kBad, kGood, kGoodButOld };

  wire::FastOpenCookie issue(const wire::FourTuple& tuple, Time now);
  /// A shortened one (RFC 8684, B.1) is as good, from kLeastBytes on.
  Verdict check(const wire::FourTuple& tuple, const wire::FastOpenCookie& cookie, Time now);

 private:
  static constexpr size_t kLeastBytes = 6;
  void rotate(Time now);
  static wire::FastOpenCookie make(const SipHash::Key& key, const wire::FourTuple& tuple);

  RandomSource& random_;
  bool has_keys_ = false;
  std::array<SipHash::Key, 2> keys_{};  // the latest first
  Time since_{};
};

}  // namespace braid::host
