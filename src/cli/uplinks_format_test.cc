// What people read of the daemon's answer.
#include "cli/uplinks_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace braid::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json uplink(bool is_up, json addresses, json routes) {
  return {{"name", "wlan0"},
          {"up", is_up},
          {"addresses", std::move(addresses)},
          {"default_routes", std::move(routes)}};
}
json address(const char* text, bool is_preferred = true) {
  return {{"address", text}, {"preferred", is_preferred}, {"endpoint", 1}};
}
std::string format_one(json one) { return format_uplinks({{"uplinks", {std::move(one)}}}); }

TEST(UplinksFormat, EachFamilyHasItsOwnWayOut) {
  const std::string text =
      format_one(uplink(true, {address("192.0.2.1/24"), address("2001:db8::1/64")},
                        {{{"family", "ipv4"}, {"gateway", "192.0.2.254"}, {"source", "table 7"}}}));
  EXPECT_THAT(text, HasSubstr("by 192.0.2.254 (table 7)"));
  EXPECT_THAT(text, testing::ContainsRegex("2001:db8::1/64 +only to its own network"));
}

TEST(UplinksFormat, WhatIsAwayIsSaid) {
  EXPECT_THAT(format_one(uplink(false, {address("192.0.2.1/24")}, json::array())), HasSubstr("no carrier"));
  EXPECT_THAT(format_one(uplink(false, json::array(), json::array())), HasSubstr("gone; waited for"));
  EXPECT_THAT(format_uplinks(json::object()), HasSubstr("none yet"));
}

TEST(UplinksFormat, ADeprecatedAddressIsSaidToBeKept) {
  const json routes = {{{"family", "ipv6"}, {"source", "assumed"}}};
  const std::string text = format_one(uplink(true, {address("2001:db8::1/64", false)}, routes));
  EXPECT_THAT(text, HasSubstr("straight, point to point (assumed); kept for what has it already"));
}

TEST(UplinksFormat, UnusedDevicesFirewallAndWarningsFollow) {
  const std::string text = format_uplinks({{"unused", {{{"name", "docker0"}, {"reason", "a bridge"}}}},
                                           {"firewall_chains", {"ip filter FORWARD"}},
                                           {"warnings", {"beware"}}});
  EXPECT_THAT(text, HasSubstr("Not used: docker0 (a bridge)"));
  EXPECT_THAT(text, HasSubstr("chain ip filter FORWARD"));
  EXPECT_THAT(text, HasSubstr("Warning: beware"));
}

}  // namespace
}  // namespace braid::cli
