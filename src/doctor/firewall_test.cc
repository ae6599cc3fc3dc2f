#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "doctor/checks.h"

namespace braid::doctor {
namespace {

using testing::HasSubstr;

std::string ruleset(const std::string& policy, const std::string& rules) {
  return R"({"nftables": [{"table": {"family": "ip", "name": "filter"}},
    {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "type": "filter", "hook": "forward", "prio": 0,
     "policy": ")" +
         policy + "\"}}" + rules + "]}";
}

std::string rule(const std::string& expressions) {
  return R"(, {"rule": {"family": "ip", "table": "filter", "chain": "FORWARD", "handle": 4, "expr": [)" +
         expressions + "]}}";
}

const std::string kBraidMatch =
    R"({"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "braid*"}}, )";

TEST(Firewall, DroppedForwardingBlocks) {
  const Findings findings = judge_nft_ruleset(ruleset("drop", ""));
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].severity, Severity::kBlocks);
  EXPECT_THAT(findings[0].remedy, HasSubstr("nft insert rule ip filter FORWARD iifname"));
}

TEST(Firewall, ARuleThatDropsAllIsAsGoodAsAPolicy) {
  EXPECT_EQ(judge_nft_ruleset(ruleset("accept", rule(R"({"drop": null})"))).size(), 1u);
  EXPECT_EQ(judge_nft_ruleset(ruleset("accept", rule(R"({"reject": null})"))).size(), 1u);
}

TEST(Firewall, WhatLetsBraidThroughBeforeIsFine) {
  EXPECT_TRUE(judge_nft_ruleset(ruleset("drop", rule(kBraidMatch + R"({"accept": null})"))).empty());
  EXPECT_TRUE(judge_nft_ruleset(ruleset("accept", "")).empty());
  EXPECT_TRUE(judge_nft_ruleset(ruleset("drop", rule(R"({"accept": null})"))).empty());
}

TEST(Firewall, AnExceptionForOthersIsNone) {
  const std::string docker =
      R"({"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "docker0"}}, )";
  EXPECT_EQ(judge_nft_ruleset(ruleset("drop", rule(docker + R"({"accept": null})"))).size(), 1u);
}

TEST(Firewall, RulesAboutTheOptionAreNoticed) {
  const std::string option =
      R"({"match": {"op": "==", "left": {"tcp option": {"name": "mptcp"}}, "right": true}}, )";
  const Findings findings = judge_nft_ruleset(ruleset("accept", rule(option + R"({"drop": null})")));
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].severity, Severity::kWarning);
  EXPECT_EQ(
      judge_nft_ruleset(ruleset("accept", rule(R"({"reset": {"tcp option": {"name": "mptcp"}}})"))).size(),
      1u);
  EXPECT_TRUE(judge_nft_ruleset(ruleset("accept", rule(option + R"({"counter": null})"))).empty());
}

TEST(Firewall, NonsenseIsNoFinding) {
  for (const char* text : {"", "{", "[]", "{\"nftables\": [{}]}"})
    EXPECT_TRUE(judge_nft_ruleset(text).empty()) << text;
}

}  // namespace
}  // namespace braid::doctor
