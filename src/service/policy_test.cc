#include "service/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace braid::service {
namespace {

using testing::HasSubstr;

Policy policy_of(std::string_view text) {
  auto policy = parse_policy(text, "policy.toml");
  EXPECT_TRUE(policy.has_value()) << policy.error();
  return policy ? std::move(*policy) : Policy();
}

std::string error_of(std::string_view text) {
  const auto policy = parse_policy(text, "policy.toml");
  return policy ? "no error" : policy.error();
}

PolicyQuestion question(const std::string& program, std::string_view endpoint, uint32_t uid = 1000,
                        PolicyUse use = PolicyUse::kConnect) {
  return {.program = program, .uid = uid, .use = use, .endpoint = *wire::Endpoint::parse(endpoint)};
}

std::string decision(const Policy& policy, const PolicyQuestion& asked) {
  const PolicyRule* rule = policy.decide(asked);
  return rule != nullptr ? rule->name : "none";
}

constexpr std::string_view kRules = R"([[rule]]
name = "office"
destination = ["198.51.100.0/24", "2001:db8:1::/48"]
port = [22, "8000-8999"]
action = "kernel"
[[rule]]
name = "shell"
program = ["ssh", "/opt/*/bin/mosh"]
action = "braid"
scheduler = "redundant"
[[rule]]
name = "servers"
use = "listen"
port = 80
user = 0
action = "braid"
[[rule]]
action = "kernel"
)";

TEST(Policy, TheFirstRuleThatFitsDecides) {
  const Policy policy = policy_of(kRules);
  EXPECT_EQ(decision(policy, question("/usr/bin/ssh", "198.51.100.7:22")), "office");
  EXPECT_EQ(decision(policy, question("/usr/bin/ssh", "198.51.100.7:23")), "shell");
  EXPECT_EQ(decision(policy, question("/usr/bin/curl", "[2001:db8:1::5]:8500")), "office");
  EXPECT_EQ(decision(policy, question("/usr/bin/curl", "[2001:db8:2::5]:8500")), "rule 4");
  EXPECT_EQ(decision(policy, question("/usr/bin/sshd", "192.0.2.1:22")), "rule 4");
}

TEST(Policy, PatternsWithASlashAreAboutThePath) {
  const Policy policy = policy_of(kRules);
  EXPECT_EQ(decision(policy, question("/opt/x/bin/mosh", "192.0.2.1:1")), "shell");
  EXPECT_EQ(decision(policy, question("/opt/x/y/bin/mosh", "192.0.2.1:1")), "rule 4");
  EXPECT_EQ(decision(policy, question("/usr/bin/mosh", "192.0.2.1:1")), "rule 4");
}

TEST(Policy, UserAndUseAreHeeded) {
  const Policy policy = policy_of(kRules);
  EXPECT_EQ(decision(policy, question("/usr/sbin/nginx", "0.0.0.0:80", 0, PolicyUse::kListen)), "servers");
  EXPECT_EQ(decision(policy, question("/usr/sbin/nginx", "0.0.0.0:80", 33, PolicyUse::kListen)), "rule 4");
  EXPECT_EQ(decision(policy, question("/usr/sbin/nginx", "192.0.2.1:80", 0)), "rule 4");
}

TEST(Policy, SettingsGoOverTheDaemons) {
  Policy policy = policy_of(kRules);
  mptcp::ConnectionConfig base;
  base.congestion_control = "lia";
  policy.set_base(base);
  const PolicyRule* rule = policy.decide(question("/usr/bin/ssh", "192.0.2.1:22"));
  ASSERT_TRUE(rule != nullptr && rule->connection.has_value());
  EXPECT_EQ(rule->connection->scheduler, "redundant");
  EXPECT_EQ(rule->connection->congestion_control, "lia");
  EXPECT_FALSE(policy.rules()[0].connection.has_value());
}

TEST(Policy, AProgramIsStartedAsItsRulesAllow) {
  const Policy policy = policy_of(R"(
[[rule]]
program = "docker"
action = "capture"
[[rule]]
program = "curl"
port = 443
action = "braid"
[[rule]]
program = "wget"
port = 443
action = "kernel"
[[rule]]
program = ["curl", "wget", "nc"]
action = "kernel"
)");
  EXPECT_EQ(policy.decide_start("/usr/bin/docker", 0), PolicyAction::kCapture);
  EXPECT_EQ(policy.decide_start("/usr/bin/nc", 0), PolicyAction::kKernel);
  EXPECT_EQ(policy.decide_start("/usr/bin/wget", 0), PolicyAction::kKernel);
  EXPECT_EQ(policy.decide_start("/usr/bin/curl", 0), PolicyAction::kBraid);
  EXPECT_EQ(policy.decide_start("/usr/bin/ssh", 0), PolicyAction::kBraid);
}

TEST(Policy, MistakesAreShownWithTheirPlace) {
  EXPECT_EQ(error_of("[[rule]]\nprogam = \"ssh\"\naction = \"braid\"\n"),
            "policy.toml:2:1: [[rule]] has no key \"progam\"; did you mean \"program\"?");
  EXPECT_THAT(error_of("[[rule]]\naction = \"kernal\"\n"), HasSubstr("policy.toml:2:10"));
  EXPECT_THAT(error_of("[[rule]]\nprogram = \"ssh\"\n"), HasSubstr("action: is needed"));
  EXPECT_THAT(error_of("[[rule]]\naction = \"braid\"\nport = \"22-\"\n"), HasSubstr("policy.toml:3:8"));
  EXPECT_THAT(error_of("[[rule]]\naction = \"braid\"\nport = [0]\n"), HasSubstr("expected a port"));
  EXPECT_THAT(error_of("[[rule]]\naction = \"braid\"\nport = []\n"), HasSubstr("empty list"));
  EXPECT_THAT(error_of("[[rule]]\naction = \"braid\"\ndestination = \"192.0.2.0/33\"\n"),
              HasSubstr("a network"));
  EXPECT_THAT(error_of("[[rule]]\naction = \"braid\"\nuser = \"nobody-of-that-name\"\n"),
              HasSubstr("no user"));
  EXPECT_THAT(error_of("[[rule]]\naction = \"capture\"\nport = 5\n"), HasSubstr("when a program starts"));
  EXPECT_THAT(error_of("[[rule]]\naction = \"kernel\"\nscheduler = \"blest\"\n"), HasSubstr("means nothing"));
  EXPECT_THAT(error_of("[[rule]]\naction = \"braid\"\nscheduler = \"blist\"\n"), HasSubstr("\"blest\""));
  EXPECT_THAT(error_of("[connection]\n"), HasSubstr("[[rule]] tables only"));
  EXPECT_THAT(error_of("rule = 5\n"), HasSubstr("array of tables"));
}

TEST(Policy, AProcessIsItsFile) {
  EXPECT_THAT(program_of(getpid()), HasSubstr("service_test"));
  EXPECT_EQ(program_of(-1), "");
}

}  // namespace
}  // namespace braid::service
