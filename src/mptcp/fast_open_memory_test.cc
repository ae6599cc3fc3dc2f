#include "mptcp/fast_open_memory.h"

#include <gtest/gtest.h>

namespace braid::mptcp {
namespace {

wire::IpAddress address(const char* text) { return *wire::IpAddress::parse(text); }

const wire::IpAddress kOurs = address("192.0.2.1"), kOtherOfOurs = address("192.0.2.2");
const wire::Endpoint kServer{address("198.51.100.1"), 80};

wire::FastOpenCookie cookie(uint8_t fill) {
  const std::array<std::byte, 4> bytes{std::byte{fill}, std::byte{fill}, std::byte{fill}, std::byte{fill}};
  return wire::FastOpenCookie::of(bytes);
}

TEST(FastOpenMemory, ACookieIsForOneOfOurAddressesAndOneServer) {
  FastOpenMemory memory;
  EXPECT_TRUE(memory.advice(kOurs, kServer, {}).may_ask);
  EXPECT_FALSE(memory.advice(kOurs, kServer, {}).cookie);
  memory.on_cookie(kOurs, kServer, cookie(1), 1400);
  EXPECT_EQ(memory.advice(kOurs, kServer, {}).cookie, cookie(1));
  EXPECT_EQ(memory.advice(kOurs, kServer, {}).mss, 1400);
  EXPECT_FALSE(memory.advice(kOtherOfOurs, kServer, {}).cookie);
  EXPECT_FALSE(memory.advice(kOurs, {kServer.address, 81}, {}).cookie);
  memory.on_cookie(kOurs, kServer, cookie(2), 500);
  EXPECT_EQ(memory.advice(kOurs, kServer, {}).cookie, cookie(2));
}

TEST(FastOpenMemory, FailuresSilenceItForLongerEachTimeUpToAnHour) {
  FastOpenMemory memory;
  Time now{};
  for (const Duration silence : {60s, 120s, 240s, 480s, 960s, 1920s, 3600s, 3600s}) {
    memory.on_failed(kOurs, kServer, now);
    EXPECT_FALSE(memory.advice(kOurs, kServer, now + silence - 1s).may_ask);
    now += silence;
    EXPECT_TRUE(memory.advice(kOurs, kServer, now).may_ask);
  }
  memory.on_taken(kOurs, kServer);
  memory.on_failed(kOurs, kServer, now);
  EXPECT_TRUE(memory.advice(kOurs, kServer, now + 60s).may_ask);
}

TEST(FastOpenMemory, OneLostRequestIsNoFailureTwoInARowAre) {
  FastOpenMemory memory;
  memory.on_request_lost(kOurs, kServer, {});
  EXPECT_TRUE(memory.advice(kOurs, kServer, {}).may_ask);
  memory.on_cookie(kOurs, kServer, cookie(1), 1400);
  memory.on_request_lost(kOurs, kServer, {});
  EXPECT_TRUE(memory.advice(kOurs, kServer, {}).may_ask);
  memory.on_request_lost(kOurs, kServer, {});
  EXPECT_FALSE(memory.advice(kOurs, kServer, {}).may_ask);
  EXPECT_TRUE(memory.advice(kOurs, kServer, Time(60s)).may_ask);
}

TEST(FastOpenMemory, IsBoundedAndForgetsWhatWasUsedLongestAgo) {
  FastOpenMemory memory({.capacity = 3});
  const auto server = [](uint16_t port) { return wire::Endpoint{kServer.address, port}; };
  for (uint16_t port = 1; port <= 3; ++port) memory.on_cookie(kOurs, server(port), cookie(7), 1400);
  memory.on_taken(kOurs, server(1));
  memory.on_cookie(kOurs, server(4), cookie(7), 1400);
  EXPECT_EQ(memory.size(), 3u);
  EXPECT_TRUE(memory.advice(kOurs, server(1), {}).cookie);
  EXPECT_FALSE(memory.advice(kOurs, server(2), {}).cookie);
}

}  // namespace
}  // namespace braid::mptcp
