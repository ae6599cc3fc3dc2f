#include "sim/middlebox/registry.h"

#include <gtest/gtest.h>

#include "sim/middlebox/port_blocker.h"
#include "sim/middlebox/testing/box_bench.h"

namespace braid::sim {
namespace {

using Strings = std::vector<std::string>;

std::string error_of(std::string_view name, const MiddleboxOptions& options) {
  const auto made = make_middlebox(name, options, 1);
  return made ? "" : made.error();
}

TEST(MiddleboxRegistry, MakesWhatItLists) {
  for (const MiddleboxKind& kind : list_middleboxes()) {
    MiddleboxOptions options;  // those that have no default
    if (kind.name == "payload-rewriter") options = {{"find", std::string("x")}};
    if (kind.name == "port-blocker") options = {{"ports", int64_t{80}}};
    const auto made = make_middlebox(kind.name, options, 1);
    ASSERT_TRUE(made.has_value()) << made.error();
    EXPECT_EQ((*made)->name(), kind.name);
  }
}

TEST(MiddleboxRegistry, WhatItDoesNotKnowItNames) {
  EXPECT_EQ(error_of("nut", {}).substr(0, 40), "there is no middlebox \"nut\": one of opti");
  EXPECT_EQ(error_of("mss-clamper", {{"mas", int64_t{1}}}),
            "middlebox mss-clamper: there is no \"mas\"; it takes mss, direction");
  EXPECT_EQ(error_of("mss-clamper", {{"mss", int64_t{1}}}),
            "middlebox mss-clamper: mss: expected an integer from 64 to 65535");
}

TEST(MiddleboxRegistry, Ports) {
  EXPECT_EQ(error_of("port-blocker", {{"ports", int64_t{80}}}), "");
  EXPECT_EQ(error_of("port-blocker", {{"ports", std::string("80-90")}}), "");
  EXPECT_EQ(error_of("port-blocker", {{"ports", Strings{"80", "443", "8000-8999"}}}), "");
  const std::string expected =
      "middlebox port-blocker: ports: expected ports from 1 to 65535, or ranges such as \"8000-8999\"";
  EXPECT_EQ(error_of("port-blocker", {}), expected);
  for (const char* const wrong : {"", "0", "65536", "90-80", "80-", "-80", "80-90-100", "http", "80 "})
    EXPECT_EQ(error_of("port-blocker", {{"ports", Strings{"443", wrong}}}), expected) << wrong;
}

TEST(MiddleboxRegistry, SettingsReachTheBox) {
  testing::BoxBench bench;
  const auto made =
      make_middlebox("port-blocker", {{"ports", Strings{"70-90"}}, {"action", std::string("reset")}}, 1);
  const auto out = bench.pass(**made, Direction::kForward, testing::segment(Direction::kForward, "S", 1));
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].flags(), "AR");
}

}  // namespace
}  // namespace braid::sim
