#include "host/fast_open_cookies.h"

#include <gtest/gtest.h>

namespace braid::host {
namespace {

using Verdict = FastOpenCookies::Verdict;

wire::FourTuple tuple(const char* client, uint16_t port = 4000) {
  return {{*wire::IpAddress::parse("198.51.100.1"), 80}, {*wire::IpAddress::parse(client), port}};
}

TEST(FastOpenCookies, AreGoodForTheAddressTheyWereGivenTo) {
  SeededRandom random(1);
  FastOpenCookies cookies(random);
  const wire::FastOpenCookie cookie = cookies.issue(tuple("192.0.2.1"), {});
  EXPECT_EQ(cookie.size, FastOpenCookies::kCookieBytes);
  // From another port too: the next connection has one.
  EXPECT_EQ(cookies.check(tuple("192.0.2.1", 4001), cookie, {}), Verdict::kGood);
  EXPECT_EQ(cookies.check(tuple("192.0.2.2"), cookie, {}), Verdict::kBad);
}

TEST(FastOpenCookies, AChangedOctetIsNoticed) {
  SeededRandom random(1);
  FastOpenCookies cookies(random);
  for (size_t i = 0; i < FastOpenCookies::kCookieBytes; ++i) {
    wire::FastOpenCookie cookie = cookies.issue(tuple("192.0.2.1"), {});
    cookie.storage[i] ^= std::byte{1};
    EXPECT_EQ(cookies.check(tuple("192.0.2.1"), cookie, {}), Verdict::kBad) << i;
  }
}

TEST(FastOpenCookies, OfSixOctetsIsGoodAndOfFourIsNot) {
  SeededRandom random(1);
  FastOpenCookies cookies(random);
  const wire::FastOpenCookie whole = cookies.issue(tuple("192.0.2.1"), {});
  const auto first = [&](size_t n) { return wire::FastOpenCookie::of(whole.bytes().first(n)); };
  EXPECT_EQ(cookies.check(tuple("192.0.2.1"), first(6), {}), Verdict::kGood);
  EXPECT_EQ(cookies.check(tuple("192.0.2.1"), first(4), {}), Verdict::kBad);
}

TEST(FastOpenCookies, KeysChangeAndTheOneBeforeStillOpens) {
  SeededRandom random(1);
  FastOpenCookies cookies(random);
  const wire::FastOpenCookie cookie = cookies.issue(tuple("192.0.2.1"), {});
  const Time later = Time{} + FastOpenCookies::kKeyLife;
  EXPECT_EQ(cookies.check(tuple("192.0.2.1"), cookie, later), Verdict::kGoodButOld);
  EXPECT_NE(cookies.issue(tuple("192.0.2.1"), later), cookie);
  EXPECT_EQ(cookies.check(tuple("192.0.2.1"), cookie, later + FastOpenCookies::kKeyLife), Verdict::kBad);
}

TEST(FastOpenCookies, AfterALongSilenceNoneIsGood) {
  SeededRandom random(1);
  FastOpenCookies cookies(random);
  const wire::FastOpenCookie cookie = cookies.issue(tuple("192.0.2.1"), {});
  EXPECT_EQ(cookies.check(tuple("192.0.2.1"), cookie, Time{} + 2 * FastOpenCookies::kKeyLife), Verdict::kBad);
}

}  // namespace
}  // namespace braid::host
